// What a transcoder and its activations take in memory, from shapes alone.
#pragma once

#include <cstdint>
#include <vector>

#include "lib/base/memory_estimate.h"
#include "lib/model/model_config.h"

namespace superpose {

struct TranscoderShape {
  int64_t d_model = 0;
  int64_t d_sae = 0;
  // Features that are active at a token, on average; d_sae is the most that can be.
  double active_features = 0;
};

// Bytes of SparseActivations: an int32 id and a float32 value an active feature, an int64 split a row.
int64_t ActivationsBytes(const TranscoderShape& shape, int64_t rows);

// Most bytes that ActivationEncoder holds for `rows` tokens: the tile of pre-activations and its rows' centred input,
// the activations by tiles, and, where there are several tiles, those put together. An int8 pre-filter needs less.
int64_t EncoderBytes(const TranscoderShape& shape, int64_t rows);

// Loading a transcoder and its self-test. Held: every tensor in float32, 4 (2 d_sae d_model + 2 d_sae + 2 d_model).
// Peak: that, and what the self-test has at once, however many features are active: a tile of 128 rows of d_sae columns
// before and after the threshold, and which are above it as a float32 and a bool; the inputs and outputs of all its
// tokens and four more of a tile; and, where weights are `converted` for it (from another precision, to an
// accelerator), W_enc and W_dec once more. Folding goes by rows and needs less than the self-test. With an int8
// pre-filter its int8 weights are held, too, and W_enc is there twice before the self-test.
MemoryEstimate EstimateTranscoderLoad(const TranscoderShape& shape, bool converted = false,
                                      bool int8_prefilter = false);

// A layer whose activations are asked for.
struct LayerShape {
  int64_t layer = 0;
  TranscoderShape transcoder;
};

// ComputeFeatureActivations for sequences of these lengths. Held: the activations of all layers. Peak: the pass of the
// largest padded batch, then its encoding, beside the activations of the batches before; or all activations twice,
// where several batches are put together.
MemoryEstimate EstimateFeatureActivations(const ModelConfig& model, const std::vector<LayerShape>& layers,
                                          const std::vector<int64_t>& lengths);

}  // namespace superpose
