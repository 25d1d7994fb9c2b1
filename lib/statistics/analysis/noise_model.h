#pragma once

#include <cstdint>
#include <memory>

#include "absl/status/statusor.h"
#include "lib/statistics/analysis/analysis.h"
#include "lib/statistics/analysis/decoder_rows.h"
#include "lib/statistics/analysis/feature_selection.h"
#include "lib/statistics/analysis/noise_moments.h"

namespace superpose {

struct NoiseModelQuery {
  FeatureSelection features = {};
  NoiseFormula formula = NoiseFormula::kConditional;
  bool values = false;
};

// Tensors feature, act_mean, act_var, cosine, and noise_mean, noise_var where asked for. Hidden units without a gate
// probability take no part in the decoder whose cosine is given. Cosines are NaN where the snapshot lacks
// act_log2_histogram. The errors of SelectFeatures, EffectiveWeights and NoiseMoments, FEATURE_OUT_OF_RANGE.
// unit_entries is the work of a unit.
absl::StatusOr<std::unique_ptr<Analysis>> MakeNoiseModel(const AnalysisInputs& inputs, const NoiseModelQuery& query,
                                                         int64_t unit_entries = kDecoderUnitEntries);

}  // namespace superpose
