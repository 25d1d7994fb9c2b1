#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "absl/status/statusor.h"
#include "lib/statistics/analysis/analysis.h"
#include "lib/statistics/analysis/row_blocks.h"

namespace superpose {

// One of feature and unit.
struct RankedUnitsQuery {
  std::optional<int64_t> feature = {};  // its hidden units
  std::optional<int64_t> unit = {};     // its features, of those that the snapshot covers
  int64_t k = 20;
};

// Tensors unit (or feature), weight, w_eff, gate_probability, fewer than k where no more are defined; figure
// participation_ratio. `undefined` counts units (or features) without a weight: those of features that were never
// active. CONFIG_INVALID (k, unit, neither or both), FEATURE_OUT_OF_RANGE, SNAPSHOT_TENSOR_MISSING. unit_entries is the
// work of a unit.
absl::StatusOr<std::unique_ptr<Analysis>> MakeRankedUnits(const AnalysisInputs& inputs, const RankedUnitsQuery& query,
                                                          int64_t unit_entries = kUnitEntries);

}  // namespace superpose
