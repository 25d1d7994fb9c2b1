#pragma once

#include <ATen/core/Tensor.h>

namespace superpose {

// difference = a - b, and sum (float64 [1], on their device) += the squares of the difference. a, b, difference:
// float32 of one shape, contiguous matrices. On the CPU the sum runs in double in a fixed order, whatever the number of
// threads.
void SubtractAndAddSquares(const at::Tensor& a, const at::Tensor& b, const at::Tensor& difference,
                           const at::Tensor& sum);

}  // namespace superpose
