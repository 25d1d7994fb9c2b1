#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "lib/tensor_io/check_tensor.h"
#include "lib/tensor_io/safetensors.h"

namespace superpose {

// TRANSCODER_UNSUPPORTED names a tensor that is none of `known`: what nobody knows is not left out in silence.
absl::Status CheckNoOthers(const TensorMap& tensors, const std::vector<std::string>& known);

}  // namespace superpose
