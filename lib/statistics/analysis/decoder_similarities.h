#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "absl/status/statusor.h"
#include "lib/statistics/analysis/analysis.h"
#include "lib/statistics/analysis/decoder_rows.h"
#include "lib/statistics/analysis/feature_selection.h"

namespace superpose {

struct DecoderSimilaritiesQuery {
  FeatureSelection features = {};
  std::optional<FeatureSelection> other_features = {};  // absent: the same
  DecoderChoice decoders = {};
  bool values = false;
};

// Tensors feature, other_feature, row_max, row_argmax, column_max, column_argmax, and values where asked for. A maximum
// over nothing is NaN and its index -1. The errors of SelectFeatures and MakeDecoderRows. Unit decoders of both sets
// are held on the model's device. unit_entries is the work of a unit.
absl::StatusOr<std::unique_ptr<Analysis>> MakeDecoderSimilarities(const AnalysisInputs& inputs,
                                                                  const DecoderSimilaritiesQuery& query,
                                                                  int64_t unit_entries = kDecoderUnitEntries);

}  // namespace superpose
