// The verbs that take midcoders to files and back; they stand under `superpose midcoders`.
#pragma once

#include <CLI/App.hpp>

#include "client/cli/session.h"

namespace superpose::cli {

void AddMidcoderImport(CLI::App* midcoders, Action* action);
void AddMidcoderExport(CLI::App* midcoders, Action* action);

}  // namespace superpose::cli
