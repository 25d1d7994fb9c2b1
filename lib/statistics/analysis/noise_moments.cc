#include "lib/statistics/analysis/noise_moments.h"

#include <ATen/ATen.h>

#include "lib/base/status_macros.h"
#include "lib/statistics/analysis/effective_weights.h"
#include "lib/statistics/analysis/snapshot_rows.h"

namespace superpose {

absl::StatusOr<NoiseMoments> NoiseMoments::Create(const AnalysisInputs& inputs, NoiseFormula formula) {
  NoiseMoments moments;
  moments.formula_ = formula;
  moments.device_ = inputs.model->device();
  moments.act_counts_ = inputs.snapshot->ActCounts();
  SUPERPOSE_ASSIGN_OR_RETURN(moments.act_sum_, inputs.snapshot->Tensor("act_sum"));
  SUPERPOSE_ASSIGN_OR_RETURN(moments.act_sq_sum_, inputs.snapshot->Tensor("act_sq_sum"));
  SUPERPOSE_RETURN_IF_ERROR(formula == NoiseFormula::kConditional ? moments.TakeConditional(*inputs.snapshot)
                                                                  : moments.TakeNotebook(inputs));
  return moments;
}

absl::Status NoiseMoments::TakeConditional(const SnapshotData& snapshot) {
  SUPERPOSE_RETURN_IF_ERROR(snapshot.Require(StatisticsGroup::kPreActivations));
  SUPERPOSE_ASSIGN_OR_RETURN(pre_sum_, snapshot.Tensor("pre_relu_sum_no_act"));
  SUPERPOSE_ASSIGN_OR_RETURN(pre_sq_sum_, snapshot.Tensor("pre_relu_sq_sum_act"));
  SUPERPOSE_ASSIGN_OR_RETURN(act_pre_sum_, snapshot.Tensor("act_pre_relu_sum"));
  return absl::OkStatus();
}

absl::Status NoiseMoments::TakeNotebook(const AnalysisInputs& inputs) {
  SUPERPOSE_ASSIGN_OR_RETURN(const EffectiveWeights weights, EffectiveWeights::Create(inputs));
  SUPERPOSE_ASSIGN_OR_RETURN(const at::Tensor sum, inputs.snapshot->Tensor("pre_relu_sum"));
  SUPERPOSE_ASSIGN_OR_RETURN(const at::Tensor products, inputs.snapshot->Tensor("pre_relu_cov_sum"));
  const auto tokens = static_cast<double>(inputs.snapshot->tokens());
  const at::Tensor mean = sum.to(at::kDouble) / tokens;
  variance_ = (products.diagonal().to(at::kDouble) / tokens - mean.square()).to(device_);
  mean_ = mean.to(device_) + weights.Bias();
  return absl::OkStatus();
}

NoiseRows NoiseMoments::Rows(const at::Tensor& rows, const at::Tensor& W_eff) const {
  const at::Tensor count = TakeRows(act_counts_, rows, device_);
  NoiseRows moments;
  moments.act_mean = TakeRows(act_sum_, rows, device_) / count;
  // Rounding alone takes it below 0.
  moments.act_var = (TakeRows(act_sq_sum_, rows, device_) / count - moments.act_mean.square()).clamp_min(0);
  if (formula_ == NoiseFormula::kConditional) {
    PutConditional(rows, W_eff, moments);
  } else {
    moments.noise_mean = mean_ - moments.act_mean.unsqueeze(1) * W_eff;
    moments.noise_var = variance_ - moments.act_var.unsqueeze(1) * W_eff.to(at::kDouble).square();
  }
  return moments;
}

void NoiseMoments::PutConditional(const at::Tensor& rows, const at::Tensor& W_eff, NoiseRows& moments) const {
  const at::Tensor count = TakeRows(act_counts_, rows, device_).unsqueeze(1);
  const at::Tensor act_mean = moments.act_mean.unsqueeze(1), act_var = moments.act_var.unsqueeze(1);
  const at::Tensor weights = W_eff.to(at::kDouble);
  const at::Tensor mean = TakeRows(pre_sum_, rows, device_).div_(count);
  const at::Tensor variance = TakeRows(pre_sq_sum_, rows, device_).div_(count).sub_(mean.square());
  const at::Tensor covariance = TakeRows(act_pre_sum_, rows, device_).div_(count).sub_(act_mean * mean);
  moments.noise_mean = mean - act_mean * weights;
  moments.noise_var = variance + weights * (act_var * weights - 2 * covariance);
}

}  // namespace superpose
