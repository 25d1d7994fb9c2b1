#pragma once

#include <string>

#include "lib/tensor_io/safetensors.h"

namespace superpose {

// SHA-256 over the tensors in name order, each as name, dtype, shape and row-major bytes; lower-case hexadecimal. The
// same tensors give the same hash whatever file format they came from.
std::string ContentHash(const TensorMap& tensors);

}  // namespace superpose
