#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "lib/tensor_io/safetensors.h"

namespace superpose {

// Bytes of the elements of all tensors.
inline int64_t TensorBytes(const TensorMap& tensors) {
  int64_t bytes = 0;
  for (const auto& [name, tensor] : tensors) bytes += static_cast<int64_t>(tensor.nbytes());
  return bytes;
}

}  // namespace superpose
