#pragma once

#include <ATen/core/Tensor.h>

namespace superpose {

// a -= b, and sum (float64 [1], on their device) += the squares of what is then a. a, b: float32 of one shape,
// contiguous matrices. On the CPU the sum runs in double in a fixed order, whatever the number of threads. Throws
// c10::Error for other tensors.
void SubtractAndAddSquares(const at::Tensor& a, const at::Tensor& b, const at::Tensor& sum);

}  // namespace superpose
