#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "lib/model/model_config.h"
#include "lib/tensor_io/safetensors.h"

namespace superpose {

// The weights of a GPT-2 folder as Hugging Face names them, without the prefix "transformer.", in the files' own
// precision: model.safetensors or pytorch_model.bin, or the shards that {file}.index.json names; safetensors where both
// are there. "lm_head.weight" is there only when it is not tied to wte. Shapes and finiteness are checked against
// `config`. Errors: those of the files, TENSOR_MISSING, TENSOR_SHAPE_MISMATCH,
// TENSOR_NOT_FINITE.
absl::StatusOr<TensorMap> ReadRawWeights(const std::string& folder, const ModelConfig& config);

}  // namespace superpose
