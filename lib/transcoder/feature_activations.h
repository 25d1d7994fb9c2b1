// Feature activations of token sequences under a model and its transcoders: one forward pass up to the last layer asked
// for.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "lib/model/model.h"
#include "lib/model/token_batch.h"
#include "lib/transcoder/transcoder.h"

namespace superpose {

struct LayerTranscoder {
  int64_t layer = 0;
  const Transcoder* transcoder = nullptr;
};

// For each of `layers`, in their order, the activations of all positions of all sequences, one after the other.
// Sequences of different lengths run together, padded on the right, which causal attention makes invisible to the
// positions before.
absl::StatusOr<std::vector<SparseActivations>> ComputeFeatureActivations(const Model& model,
                                                                         const std::vector<LayerTranscoder>& layers,
                                                                         const std::vector<TokenSequence>& sequences);

}  // namespace superpose
