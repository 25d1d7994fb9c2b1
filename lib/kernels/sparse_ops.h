// Products with sparse activations that never touch a zero. CPU: loops over rows, parallel, vectorised for the
// processor at run time; elsewhere LibTorch's own operators. Results on the CPU depend neither on scheduling nor on the
// number of threads. Every function throws c10::Error for tensors of other shapes, types or devices than it says: call
// them inside CatchTorch.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "lib/transcoder/sparse_activations.h"

namespace superpose {

// out = z W + bias: W float32 [d_sae, n] contiguous, bias float32 [n] or undefined, out [rows, n], a new tensor.
at::Tensor SparseTimesDense(const SparseActivations& z, const at::Tensor& weight, const at::Tensor& bias);

// The entries of z by feature: entries feature_splits[j] .. feature_splits[j + 1] are feature j's tokens, ascending.
struct TransposedActivations {
  at::Tensor feature_splits;  // int64 [d_sae + 1]
  at::Tensor rows;            // int32 [entries]
  at::Tensor values;          // float32 [entries]
};
TransposedActivations Transpose(const SparseActivations& z);

// AdamW as torch.optim.AdamW defines it (decoupled decay first, bias-corrected moments, eps outside the square root).
struct AdamWSettings {
  double lr = 1e-3;
  double weight_decay = 1e-3;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double eps = 1e-8;
  int64_t step = 1;  // 1 at the first update
};

// One AdamW update of a dense parameter, in place.
void AdamWUpdate(const at::Tensor& parameter, const at::Tensor& exp_avg, const at::Tensor& exp_avg_sq,
                 const at::Tensor& gradient, const AdamWSettings& settings);

// For features [begin, end): gradient row j = sum over feature j's tokens t of z[t, j] * grad_rows[t, :], consumed by
// AdamW on row j of parameter, exp_avg, exp_avg_sq [d_sae, n] at once, while it is in cache. Rows that are zero
// throughout with no gradient are skipped.
void SparseGradientAdamW(const TransposedActivations& z, const at::Tensor& grad_rows, int64_t begin, int64_t end,
                         const at::Tensor& parameter, const at::Tensor& exp_avg, const at::Tensor& exp_avg_sq,
                         const AdamWSettings& settings);

}  // namespace superpose
