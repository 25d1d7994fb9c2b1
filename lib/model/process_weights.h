#pragma once

#include "lib/model/model_config.h"
#include "lib/tensor_io/safetensors.h"

namespace superpose {

// Raw GPT-2 weights (raw_weights.h) -> processed weights (names and shapes: model.h, Model::tensors()), float32 on the
// CPU, computed in float64. The order is TransformerLens 2.18's: fold layer norms (bias += shift W; W = gain W; W minus
// its mean over d_model), centre what writes to the residual stream, centre the unembedding, fold value biases into the
// output bias.
TensorMap ProcessWeights(const TensorMap& raw, const ModelConfig& config);

}  // namespace superpose
