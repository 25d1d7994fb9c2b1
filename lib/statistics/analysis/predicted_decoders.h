#pragma once

#include <cstdint>
#include <memory>

#include "absl/status/statusor.h"
#include "lib/statistics/analysis/analysis.h"
#include "lib/statistics/analysis/decoder_rows.h"
#include "lib/statistics/analysis/feature_selection.h"

namespace superpose {

struct PredictedDecodersQuery {
  FeatureSelection features = {};
  PredictionMethod method = PredictionMethod::kActGate;
  bool vectors = false;
  bool unit = false;  // vectors of length 1
};

// Tensors feature, cosine, norm_ratio, log10_frequency, and predicted, real where vectors is set; figures
// median_cosine, mean_cosine. The errors of SelectFeatures and MakeDecoderRows. unit_entries is the work of a unit.
absl::StatusOr<std::unique_ptr<Analysis>> MakePredictedDecoders(const AnalysisInputs& inputs,
                                                                const PredictedDecodersQuery& query,
                                                                int64_t unit_entries = kDecoderUnitEntries);

}  // namespace superpose
