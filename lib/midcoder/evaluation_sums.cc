#include "lib/midcoder/evaluation_sums.h"

#include <ATen/ATen.h>

#include <cmath>

namespace superpose {
namespace {

double MeanOf(const std::vector<double>& values) {
  double sum = 0;
  for (double value : values) sum += value;
  return sum / static_cast<double>(values.size());
}

// Of the mean; for two values or more.
double StandardError(const std::vector<double>& values) {
  const double mean = MeanOf(values), count = static_cast<double>(values.size());
  double squares = 0;
  for (double value : values) squares += (value - mean) * (value - mean);
  return std::sqrt(squares / (count - 1) / count);
}

}  // namespace

EvaluationSums::EvaluationSums(const at::Tensor& center, int64_t d_mlp)
    : center_(center),
      d_mlp_(static_cast<double>(d_mlp)),
      d_model_(static_cast<double>(center.numel())),
      deviation_sum_(at::zeros({center.numel()}, center.options().dtype(at::kDouble))) {}

void EvaluationSums::Means::Add(const at::Tensor& by_position, const at::Tensor& starts_with_bos) {
  const at::Tensor values = by_position.to(at::kDouble);
  const double total = values.sum().item<double>();
  const double at_bos = values.select(1, 0).masked_fill(~starts_with_bos, 0).sum().item<double>();
  const double count = static_cast<double>(values.numel());
  all.sum += total;
  all.count += count;
  no_bos.sum += total - at_bos;
  no_bos.count += count - starts_with_bos.sum().item<double>();
}

void EvaluationSums::AddErrors(const TokenErrors& errors, const at::Tensor& mlp_out,
                               const at::Tensor& starts_with_bos) {
  mid_.Add(errors.mid, starts_with_bos);
  out_.Add(errors.out, starts_with_bos);
  out_transcoder_.Add(errors.out_transcoder, starts_with_bos);
  at::Tensor deviation = (mlp_out - center_).to(at::kDouble);
  deviation.select(1, 0).masked_fill_(starts_with_bos.unsqueeze(1), 0);
  deviation_sum_.add_(deviation.sum(at::IntArrayRef{0, 1}));
  deviation_square_sum_ += deviation.square().sum().item<double>();
}

void EvaluationSums::AddLosses(EvaluationVariant variant, const at::Tensor& ce, const at::Tensor& kl,
                               const at::Tensor& starts_with_bos) {
  ce_[variant].Add(ce, starts_with_bos);
  kl_[variant].Add(kl, starts_with_bos);
  const at::Tensor by_sequence = ce.to(at::kDouble).mean(1).cpu();
  const double* values = by_sequence.const_data_ptr<double>();
  sequence_ce_[variant].insert(sequence_ce_[variant].end(), values, values + by_sequence.numel());
}

void EvaluationSums::PutMeans(const std::string& name, const Means& means, double divisor,
                              EvaluationResult& result) const {
  if (means.all.count > 0) result[name] = means.all.sum / means.all.count / divisor;
  if (means.no_bos.count > 0) result[name + "_no_bos"] = means.no_bos.sum / means.no_bos.count / divisor;
}

void EvaluationSums::PutLossRecovered(EvaluationResult& result) const {
  const std::vector<double>& zero = sequence_ce_[kZeroVariant];
  std::vector<double> gaps;
  for (size_t i = 0; i < zero.size(); ++i) gaps.push_back(zero[i] - sequence_ce_[kModelVariant][i]);
  if (gaps.size() < 2 || !(MeanOf(gaps) >= 3 * StandardError(gaps)) || MeanOf(gaps) <= 0) return;
  for (EvaluationVariant variant : {kMidcoderVariant, kTranscoderVariant, kMeanVariant, kReluGateVariant}) {
    result[std::string("loss_recovered_") + kVariantNames[variant]] =
        (MeanOf(zero) - MeanOf(sequence_ce_[variant])) / MeanOf(gaps);
  }
}

void EvaluationSums::PutUnexplainedVariance(EvaluationResult& result) const {
  const double count = out_.no_bos.count;
  const double variance = deviation_square_sum_ - deviation_sum_.square().sum().item<double>() / count;
  if (!(count > 0 && variance > 0)) return;
  result["fvu_midcoder"] = out_.no_bos.sum / variance;
  result["fvu_transcoder"] = out_transcoder_.no_bos.sum / variance;
}

EvaluationResult EvaluationSums::Result() const {
  EvaluationResult result;
  for (size_t v = 0; v < kVariantNames.size(); ++v) {
    const std::string name = kVariantNames[v];
    PutMeans("ce_" + name, ce_[v], 1, result);
    if (v != kModelVariant) PutMeans("kl_" + name, kl_[v], 1, result);
    if (sequence_ce_[v].size() >= 2) result["se_ce_" + name] = StandardError(sequence_ce_[v]);
  }
  PutMeans("mse_mid", mid_, d_mlp_, result);
  PutMeans("mse_out", out_, d_model_, result);
  PutMeans("mse_out_transcoder", out_transcoder_, d_model_, result);
  PutLossRecovered(result);
  PutUnexplainedVariance(result);
  result["tokens"] = mid_.all.count;
  result["sequences"] = static_cast<double>(sequence_ce_[kModelVariant].size());
  return result;
}

}  // namespace superpose
