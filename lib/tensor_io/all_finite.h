#pragma once

#include <ATen/core/Tensor.h>

namespace superpose {

// Whether no value is NaN or infinite once it is a float32. Looks at a part at a time, so that it needs no memory to
// speak of. May throw what LibTorch throws.
bool AllFinite(const at::Tensor& tensor);

}  // namespace superpose
