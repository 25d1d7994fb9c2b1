// Orders of values: the largest first, equal ones by index, NaN last.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace superpose {

// int64 [n]: indices of values (float64 [n] on the CPU) in order.
at::Tensor DescendingOrder(const at::Tensor& values);
// int64 [n]: the place of each value in that order, from 0.
at::Tensor Ranks(const at::Tensor& values);
// int64: the first k of that order without NaN, or as many as there are.
at::Tensor LargestIndices(const at::Tensor& values, int64_t k);

}  // namespace superpose
