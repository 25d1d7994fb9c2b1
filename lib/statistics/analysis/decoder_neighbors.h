#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>

#include "absl/status/statusor.h"
#include "lib/statistics/analysis/analysis.h"
#include "lib/statistics/analysis/decoder_rows.h"
#include "lib/statistics/analysis/feature_selection.h"
#include "lib/statistics/analysis/histogram.h"

namespace superpose {

struct DecoderNeighborsQuery {
  int64_t feature = 0;
  int64_t k = 30;
  DecoderChoice decoders = {};
  int64_t bins = kDefaultBins;
};

// Among all features of the transcoder, for predicted decoders all that the snapshot covers. Tensors feature, cosine,
// rank (by the frequencies of training where the transcoder has them, else of the snapshot, which may be null for real
// decoders; -1 where neither has the feature), block, histogram_counts, histogram_edges; fewer than k where there are
// no more. The cosine of a feature's decoder that is not defined with others is not either: then it stands alone, with
// NaN. `undefined` counts features without a cosine. CONFIG_INVALID (k, bins), FEATURE_OUT_OF_RANGE and the errors of
// MakeDecoderRows. unit_entries is the work of a unit.
absl::StatusOr<std::unique_ptr<Analysis>> MakeDecoderNeighbors(const AnalysisInputs& inputs,
                                                               const DecoderNeighborsQuery& query,
                                                               int64_t unit_entries = kDecoderUnitEntries);

struct NearestDecodersQuery {
  at::Tensor direction;  // [d_model], floating point: a factor, say
  int64_t k = 30;
  FeatureSelection features = {};
  DecoderChoice decoders = {};
  int64_t bins = kDefaultBins;
};

// The decoders nearest to a direction by |cosine|, among the features that are selected: the same tensors. Then
// TENSOR_SHAPE_MISMATCH (direction), TENSOR_NOT_FINITE, CONFIG_INVALID (also a direction of length 0) and the errors of
// SelectFeatures and MakeDecoderRows.
absl::StatusOr<std::unique_ptr<Analysis>> MakeNearestDecoders(const AnalysisInputs& inputs,
                                                              const NearestDecodersQuery& query,
                                                              int64_t unit_entries = kDecoderUnitEntries);

}  // namespace superpose
