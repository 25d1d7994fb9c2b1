// A quantity by feature and hidden unit, and its histogram (FeatureUnitsAnalysis).
#pragma once

#include <cstdint>
#include <memory>

#include "absl/status/statusor.h"
#include "lib/statistics/analysis/analysis.h"
#include "lib/statistics/analysis/feature_selection.h"
#include "lib/statistics/analysis/histogram.h"
#include "lib/statistics/analysis/row_blocks.h"

namespace superpose {

// Their formulas stand in analysis.proto.
enum class FeatureUnitQuantity { kActGateMean, kGateProbability, kLog10GateCount, kPreActivationMean };

struct FeatureUnitsQuery {
  FeatureSelection features = {};
  FeatureUnitQuantity quantity = FeatureUnitQuantity::kActGateMean;
  int64_t bins = kDefaultBins;
  bool values = false;
  bool by_feature = false;
};

// Two passes over the rows of the features, in blocks of `unit_entries` entries. `undefined` counts entries. Errors of
// SelectFeatures, SnapshotData::Tensor and RowsOf; CONFIG_INVALID.
absl::StatusOr<std::unique_ptr<Analysis>> MakeFeatureUnits(const AnalysisInputs& inputs, const FeatureUnitsQuery& query,
                                                           int64_t unit_entries = kUnitEntries);

}  // namespace superpose
