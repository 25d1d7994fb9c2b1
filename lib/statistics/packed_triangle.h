// Symmetric matrices [n, n] kept as their upper triangle with the diagonal, row after row: [n (n + 1) / 2].
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace superpose {

// Rows of the whole matrix, [k, n] of the triangle's dtype. packed: int64, float32 or float64, contiguous, [n (n + 1) /
// 2], on the CPU; rows: int64 [k], contiguous, each 0 or more and below n. Reads the triangle once from front to back
// for all rows together: where it is mapped from a file, ask for many rows at once. May throw what LibTorch throws.
at::Tensor TriangleRows(const at::Tensor& packed, int64_t n, const at::Tensor& rows);

}  // namespace superpose
