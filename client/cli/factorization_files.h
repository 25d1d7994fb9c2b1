// The verbs that take factorizations to files and back; they stand under `superpose factorizations`.
#pragma once

#include <CLI/App.hpp>

#include "client/cli/session.h"

namespace superpose::cli {

void AddFactorizationImport(CLI::App* factorizations, Action* action);
void AddFactorizationExport(CLI::App* factorizations, Action* action);

}  // namespace superpose::cli
