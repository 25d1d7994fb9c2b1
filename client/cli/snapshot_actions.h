// The verbs below `snapshots` that make something: take, merge; and compare.
#pragma once

#include <CLI/App.hpp>

#include "client/cli/session.h"

namespace superpose::cli {

void AddSnapshotTake(CLI::App* snapshots, Action* action);
void AddSnapshotMerge(CLI::App* snapshots, Action* action);
void AddSnapshotCompare(CLI::App* snapshots, Action* action);

}  // namespace superpose::cli
