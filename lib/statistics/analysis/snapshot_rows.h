#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace superpose {

// Rows of a tensor that lies on the CPU, perhaps in a mapped file, as float64 on `device`: of it all, only these are
// copied. rows: int64 [k] on the CPU. May throw what LibTorch throws.
at::Tensor TakeRows(const at::Tensor& tensor, const at::Tensor& rows, at::Device device);

// How many values are NaN. May throw what LibTorch throws.
int64_t CountNaN(const at::Tensor& values);

}  // namespace superpose
