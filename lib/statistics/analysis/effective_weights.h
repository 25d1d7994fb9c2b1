// The one linear map from activations to a hidden layer that a midcoder is in either form: mid = z W_eff + b_eff, with
// W_eff = W_mid, b_eff = b_mid (form d_mlp) or W_eff = W_mid W_in, b_eff = b_mid W_in + b_in (form d_model).
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "absl/status/statusor.h"
#include "lib/statistics/analysis/analysis.h"

namespace superpose {

// Results are on the model's device; of the midcoder's W_mid, which may be a mapped file of any floating-point type,
// rows are taken as they are asked for. Functions other than Create may throw what LibTorch throws.
class EffectiveWeights {
 public:
  // SNAPSHOT_TENSOR_MISSING where the snapshot holds no midcoder's parameters.
  static absl::StatusOr<EffectiveWeights> Create(const AnalysisInputs& inputs);

  // Rows of W_eff, float32 [k, d_mlp]. features: int64 [k] on the CPU, all below d_sae.
  at::Tensor Rows(const at::Tensor& features) const;
  // W_eff[features, unit], float32 [k].
  at::Tensor Column(const at::Tensor& features, int64_t unit) const;
  // b_eff, float32 [d_mlp].
  at::Tensor Bias() const;

 private:
  explicit EffectiveWeights(const AnalysisInputs& inputs);
  at::Tensor MidRows(const at::Tensor& features) const;

  at::Device device_;
  at::Tensor W_mid_;
  at::Tensor b_mid_;
  at::Tensor W_in_;  // undefined in the form d_mlp
  at::Tensor b_in_;
};

}  // namespace superpose
