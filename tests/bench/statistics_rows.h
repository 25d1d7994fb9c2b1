// What counts statistics: statistics_all_features, pair_statistics, step_with_statistics, snapshot.
#pragma once

#include "tests/bench/bench_row.h"

namespace superpose {

void AddStatisticsRows(RowMakers& makers);

}  // namespace superpose
