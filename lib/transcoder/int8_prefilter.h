#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>

#include "lib/transcoder/int8_features.h"
#include "lib/transcoder/int8_rows.h"
#include "lib/transcoder/sparse_activations.h"

namespace superpose {

// Encodes without the product of all inputs with all features in float32: that of int8 approximations tells which
// features may be active, and only their pre-activations are computed in float32. The approximation's error is bounded
// (README.md has the proof), so no active feature is missed: the result is, bit for bit, what the same float32 sums
// over all features would give. On the CPU, for processors with AVX-512 VNNI. Members may throw what LibTorch throws.
class Int8Prefilter {
 public:
  // Whether it is of use on this processor and for this width.
  static bool Supports(int64_t d_model);

  // For activations where x W_enc + bias is above `thresholds`, none of which is negative. encoder: W_enc transposed,
  // float32 [d_sae, d_model]; bias, thresholds: float32 [d_sae]; contiguous, on the CPU, and shared. Where more than
  // `largest_part` of all pairs of a row and a feature may be active, the whole product is cheaper.
  Int8Prefilter(const at::Tensor& encoder, const at::Tensor& bias, const at::Tensor& thresholds,
                double largest_part = 1.0 / 16);

  // Activations of x, float32 [rows, d_model], contiguous; nothing where too many features may be active. Neither
  // depends on the number of threads.
  std::optional<SparseActivations> Encode(const at::Tensor& x) const;

 private:
  // By panel of 32 features, which features may be active at every row: int32 [panels, padded rows]; and how many.
  struct Marks {
    at::Tensor bits;
    int64_t count = 0;
  };
  Marks Mark(const Int8Rows& rows, int64_t count) const;
  SparseActivations Evaluate(const at::Tensor& x, const at::Tensor& marks) const;

  const at::Tensor encoder_, bias_, thresholds_;
  const Int8Features features_;
  const double largest_part_;
};

}  // namespace superpose
