// Moments of pre-activations p = z W_eff + noise given that a feature is active, from a snapshot's sums; N = counts.
#pragma once

#include <ATen/core/Tensor.h>

#include "absl/status/statusor.h"
#include "lib/statistics/analysis/analysis.h"

namespace superpose {

enum class NoiseFormula {
  // noise_mean = E[p | z>0] - E[z | z>0] W_eff
  // noise_var = Var[p | z>0] - 2 W_eff Cov[z, p | z>0] + W_eff^2 Var[z | z>0]
  kConditional,
  // The notebook's, in which conditional and unconditional moments are mixed and the bias counts twice:
  // noise_mean = b_eff + E[p] - E[z | z>0] W_eff
  // noise_var = Var[p] - Var[z | z>0] W_eff^2
  kNotebook,
};

// float64 on the model's device; NaN for features that were never active.
struct NoiseRows {
  at::Tensor act_mean;    // [k]: E[z | z>0]
  at::Tensor act_var;     // [k]: Var[z | z>0]
  at::Tensor noise_mean;  // [k, d_mlp]
  at::Tensor noise_var;   // [k, d_mlp]; below 0 where rounding or the notebook's formula make it so
};

class NoiseMoments {
 public:
  // SNAPSHOT_TENSOR_MISSING names what to collect. Call inside CatchTorch.
  static absl::StatusOr<NoiseMoments> Create(const AnalysisInputs& inputs, NoiseFormula formula);

  // rows: int64 [k] on the CPU, rows of the snapshot; W_eff: float32 [k, d_mlp], those features'. May throw what
  // LibTorch throws.
  NoiseRows Rows(const at::Tensor& rows, const at::Tensor& W_eff) const;

 private:
  NoiseMoments() = default;
  absl::Status TakeConditional(const SnapshotData& snapshot);
  absl::Status TakeNotebook(const AnalysisInputs& inputs);
  void PutConditional(const at::Tensor& rows, const at::Tensor& W_eff, NoiseRows& moments) const;

  NoiseFormula formula_ = NoiseFormula::kConditional;
  at::Device device_ = at::kCPU;
  at::Tensor act_counts_, act_sum_, act_sq_sum_;
  at::Tensor pre_sum_, pre_sq_sum_, act_pre_sum_;  // [f, d_mlp], conditional formula
  at::Tensor mean_, variance_;                     // float64 [d_mlp] on the device, notebook's: b_eff + E[p], Var[p]
};

}  // namespace superpose
