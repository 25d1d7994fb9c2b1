#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "lib/tensor_io/safetensors.h"

namespace superpose {

// That the tensor is there with this shape and holds finite floating-point numbers: TENSOR_MISSING,
// TENSOR_SHAPE_MISMATCH, FILE_UNSUPPORTED, TENSOR_NOT_FINITE. May throw what LibTorch throws.
absl::Status CheckTensor(const TensorMap& tensors, const std::string& name, const std::vector<int64_t>& shape);

}  // namespace superpose
