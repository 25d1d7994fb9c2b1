// How features of two sets go together (PairsAnalysis).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "absl/status/statusor.h"
#include "lib/statistics/analysis/analysis.h"
#include "lib/statistics/analysis/feature_selection.h"
#include "lib/statistics/analysis/pair_quantity.h"
#include "lib/statistics/analysis/row_blocks.h"

namespace superpose {

struct PairsQuery {
  FeatureSelection features = {};
  std::optional<FeatureSelection> other_features = std::nullopt;  // absent: the same as the rows
  PairQuantity quantity = PairQuantity::kPhi;
  int64_t min_count = 1;
};

// Goes through the smaller of the two sets in blocks of `unit_entries` pairs with all others. Errors of SelectFeatures,
// SnapshotData::RowsOf and Pairs; CONFIG_INVALID.
absl::StatusOr<std::unique_ptr<Analysis>> MakePairs(const AnalysisInputs& inputs, const PairsQuery& query,
                                                    int64_t unit_entries = kUnitEntries / 2);

}  // namespace superpose
