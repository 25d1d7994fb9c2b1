#pragma once

#include <ATen/core/Tensor.h>

#include <string>

#include "absl/strings/string_view.h"

namespace superpose {

// The name that safetensors gives an element type, such as "F32"; "" when it has none.
std::string SafetensorsName(at::ScalarType type);
// The element type of a safetensors name; at::ScalarType::Undefined when there is none.
at::ScalarType TypeOfSafetensorsName(absl::string_view name);

// The element type of a PyTorch storage class or dtype, such as "FloatStorage" or "float32"; Undefined when there is
// none.
at::ScalarType TypeOfPytorchName(absl::string_view name);

}  // namespace superpose
