#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "lib/statistics/layer_statistics.h"
#include "lib/statistics/statistics_batch.h"

namespace superpose {

// LayerStatistics::Create, with a choice of how sums are computed: so that what other devices run is tested where there
// are none. kLoops is for the CPU only.
absl::StatusOr<std::unique_ptr<LayerStatistics>> MakeLayerStatistics(const StatisticsShape& shape,
                                                                     StatisticsOptions options, bool has_midcoder,
                                                                     at::Device device, SumsBy by);

}  // namespace superpose
