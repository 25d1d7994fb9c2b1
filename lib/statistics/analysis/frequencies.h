// How often features are active, most frequent first (FrequenciesAnalysis).
#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "lib/statistics/analysis/analysis.h"
#include "lib/statistics/analysis/feature_selection.h"

namespace superpose {

struct FrequenciesQuery {
  FeatureSelection features = {};
  FrequencySource by = FrequencySource::kDefault;
};

// Errors of SelectFeatures, Log10Frequencies and, by the snapshot, SnapshotData::RowsOf.
absl::StatusOr<std::unique_ptr<Analysis>> MakeFrequencies(const AnalysisInputs& inputs, const FrequenciesQuery& query);

}  // namespace superpose
