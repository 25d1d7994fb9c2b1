// The probability that the gate of a hidden unit is open given that a feature is active, where the pre-activation is
// z W_eff and Gaussian noise.
#pragma once

#include <ATen/core/Tensor.h>

#include "absl/status/statusor.h"
#include "lib/statistics/analysis/noise_moments.h"
#include "lib/statistics/snapshot_data.h"

namespace superpose {

// act_log2_histogram [f, 32]. SNAPSHOT_TENSOR_MISSING where the snapshot lacks it, as imported ones do.
absl::StatusOr<at::Tensor> ActivationHistogram(const SnapshotData& snapshot);

// Phi((z W_eff + noise_mean) / sd), averaged over the features' activations: float64 [k, d_mlp] on the model's device.
// 0 where noise_var is below 0 (there is no such probability, and the unit takes no part); NaN for features that were
// never active. histogram: their rows of act_log2_histogram, [k, 32] on the CPU; a bin's z is its geometric centre. May
// throw what LibTorch throws.
at::Tensor GaussianGateProbability(const NoiseRows& noise, const at::Tensor& W_eff, const at::Tensor& histogram);

}  // namespace superpose
