// With whom a feature goes (CoactiveAnalysis).
#pragma once

#include <cstdint>
#include <memory>

#include "absl/status/statusor.h"
#include "lib/statistics/analysis/analysis.h"
#include "lib/statistics/analysis/pair_quantity.h"

namespace superpose {

struct CoactiveQuery {
  int64_t feature = 0;
  int64_t k = 20;
  PairQuantity by = PairQuantity::kPhi;
  int64_t min_count = 10;
};

// Fewer than k where fewer are defined. `undefined` counts features that are active often enough, but have no value,
// and NaN among the answer's own. Errors of SnapshotData::RowsOf and Pairs; CONFIG_INVALID.
absl::StatusOr<std::unique_ptr<Analysis>> MakeCoactive(const AnalysisInputs& inputs, const CoactiveQuery& query);

}  // namespace superpose
