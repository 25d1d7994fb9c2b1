// A training history as a table.
#pragma once

#include <vector>

#include "client/cli/table.h"
#include "superpose/v1/midcoder.pb.h"

namespace superpose::cli {

// `rows` of the `count` indices, evenly spaced, the first and the last among them; all when rows is 0 or at least
// count.
std::vector<int> EvenlySpaced(int count, int rows);

// That many of its steps; 0 for all.
Table HistoryTable(const v1::TrainingHistory& history, int rows);

}  // namespace superpose::cli
