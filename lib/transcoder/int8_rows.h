#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "lib/kernels/int8_marks.h"

namespace superpose {

// Inputs as the int8 pre-filter multiplies them: rotated, quantised, and in groups of 12, the last one filled up with
// zeros.
struct Int8Rows {
  int64_t padded = 0;   // rows of all groups
  at::Tensor values;    // int8 [groups, depth / 4, 12, 4]
  at::Tensor sums;      // int32 [padded]
  at::Tensor measures;  // float32 [3, padded]: scales, norms, errors

  // The group that begins with `row`.
  Int8Group GroupAt(int64_t row) const;
};

// x: float32 [rows, d_model], contiguous, on the CPU. longest: the greatest length of a column; where it and a row's
// could overflow, that row's error is infinite. May throw what LibTorch throws.
Int8Rows QuantizeRows(const at::Tensor& x, float longest);

}  // namespace superpose
