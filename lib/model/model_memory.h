// What a model takes in memory, from its config alone.
#pragma once

#include <cstdint>

#include "lib/base/memory_estimate.h"
#include "lib/model/model_config.h"

namespace superpose {

// Model::Load. Held: every processed weight in float32,
//   4 (2 vocab d_model + n_positions d_model + vocab + n_layers (4 d_model^2 + 2 d_model d_mlp + 5 d_model + d_mlp)).
// and the layer norms before the MLPs in float64, 16 n_layers d_model.
// Peak: weights are processed in float64, one layer, then the unembedding, beside what is finished. A layer holds its
// other linear maps and three times the largest; the unembedding three float64 copies, then two float32 ones, the
// second in its own order.
MemoryEstimate EstimateModelLoad(const ModelConfig& config);

// What a forward pass in place (Model::RunBlock) holds for `rows` tokens: the residual, and of the workspace a tensor
// of d_model and one of d_mlp or, if that is more, 3 d_model.
int64_t BlockBytes(const ModelConfig& config, int64_t rows);

// The tensors around one layer's MLP that are kept for `rows` tokens: resid_mid, x_hat, out [d_model] and pre [d_mlp].
int64_t MlpTensorsBytes(const ModelConfig& config, int64_t rows);

}  // namespace superpose
