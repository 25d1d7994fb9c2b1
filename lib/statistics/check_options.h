#pragma once

#include "absl/status/status.h"
#include "lib/statistics/statistics_options.h"

namespace superpose {

// As LayerStatistics::Create: CONFIG_INVALID, FEATURE_OUT_OF_RANGE, EMPTY_SELECTION. May throw what LibTorch throws.
absl::Status CheckStatisticsOptions(const StatisticsShape& shape, const StatisticsOptions& options, bool has_midcoder);

}  // namespace superpose
