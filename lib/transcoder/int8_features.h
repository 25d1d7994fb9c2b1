#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "lib/kernels/int8_marks.h"

namespace superpose {

// The encoder's columns as the int8 pre-filter multiplies them: rotated, quantised, and in panels of 32, the last one
// filled up with zeros.
struct Int8Features {
  at::Tensor values;    // uint8 [panels, depth / 4, 32, 4]
  at::Tensor measures;  // float32 [4, panels * 32]: scales, lengths, errors, limits
  float longest = 0;    // of lengths

  int64_t panels() const { return values.size(0); }
  int64_t depth() const { return values.size(1) * kInt8Depth; }
  Int8Panel Panel(int64_t panel) const;
};

// encoder: float32 [d_sae, d_model]; bias, thresholds: float32 [d_sae]; contiguous, on the CPU. May throw what LibTorch
// throws.
Int8Features QuantizeFeatures(const at::Tensor& encoder, const at::Tensor& bias, const at::Tensor& thresholds);

// What they take in memory.
int64_t Int8FeatureBytes(int64_t d_model, int64_t d_sae);

}  // namespace superpose
