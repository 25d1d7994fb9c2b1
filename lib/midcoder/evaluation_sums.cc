#include "lib/midcoder/evaluation_sums.h"

#include <ATen/ATen.h>

#include <cmath>
#include <utility>

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

double Read(const at::Tensor& scalar) { return scalar.item<double>(); }

std::vector<double> Read(const std::vector<at::Tensor>& parts) {
  if (parts.empty()) return {};
  const at::Tensor joined = at::cat(parts).cpu();
  const double* values = joined.const_data_ptr<double>();
  return {values, values + joined.numel()};
}

// Float64, and zero at the first position of the sequences that are left out there.
at::Tensor WithoutFirst(const at::Tensor& by_position, const at::Tensor& left_out) {
  at::Tensor values = by_position.to(at::kDouble, /*non_blocking=*/false, /*copy=*/true);
  const at::Tensor mask = by_position.dim() == 3 ? left_out.unsqueeze(1) : left_out;
  values.select(1, 0).masked_fill_(mask, 0);
  return values;
}

// Mean of each sequence, of those that have a position left.
at::Tensor MeansBySequence(const at::Tensor& values, const at::Tensor& left_out) {
  const int64_t positions = values.size(1);
  if (positions == 1) return values.squeeze(1).masked_select(~left_out);
  return values.sum(1) / (positions - left_out.to(at::kDouble));
}

// (zero - v) / (zero - model) for the variants where that means something.
void PutLossRecovered(const std::array<std::vector<double>, kVariantNames.size()>& sequence_ce,
                      const std::array<double, kVariantNames.size()>& ce, const std::string& suffix,
                      EvaluationResult& result) {
  const std::vector<double>& zero = sequence_ce[kZeroVariant];
  std::vector<double> gaps;
  for (size_t i = 0; i < zero.size(); ++i) gaps.push_back(zero[i] - sequence_ce[kModelVariant][i]);
  if (gaps.size() < 2 || !(MeanOf(gaps) >= 3 * StandardError(gaps)) || MeanOf(gaps) <= 0) return;
  for (EvaluationVariant v : {kMidcoderVariant, kTranscoderVariant, kMeanVariant, kReluGateVariant}) {
    result[std::string("loss_recovered_") + kVariantNames[v] + suffix] =
        (ce[kZeroVariant] - ce[v]) / (ce[kZeroVariant] - ce[kModelVariant]);
  }
}

}  // namespace

EvaluationSums::EvaluationSums(const at::Tensor& center, int64_t d_mlp)
    : center_(center),
      d_mlp_(static_cast<double>(d_mlp)),
      d_model_(static_cast<double>(center.numel())),
      all_(Zeros(center)),
      no_bos_(Zeros(center)) {}

EvaluationSums::Sums EvaluationSums::Zeros(const at::Tensor& center) {
  const auto options = center.options().dtype(at::kDouble);
  const auto mean = [&] { return Mean{at::zeros({}, options), at::zeros({}, options.dtype(at::kLong))}; };
  Sums sums;
  for (Mean* errors : {&sums.mid, &sums.out, &sums.out_transcoder}) *errors = mean();
  for (Mean& ce : sums.ce) ce = mean();
  for (Mean& kl : sums.kl) kl = mean();
  sums.deviation = at::zeros({center.numel()}, options);
  sums.deviation_squares = at::zeros({}, options);
  return sums;
}

void EvaluationSums::AddErrors(const TokenErrors& errors, const at::Tensor& mlp_out,
                               const at::Tensor& starts_with_bos) {
  const at::Tensor deviation = mlp_out - center_;
  AddErrorsTo(all_, errors, deviation, at::zeros_like(starts_with_bos));
  AddErrorsTo(no_bos_, errors, deviation, starts_with_bos);
}

void EvaluationSums::AddErrorsTo(Sums& sums, const TokenErrors& errors, const at::Tensor& deviation,
                                 const at::Tensor& left_out) {
  sums.mid.Add(WithoutFirst(errors.mid, left_out), left_out);
  sums.out.Add(WithoutFirst(errors.out, left_out), left_out);
  sums.out_transcoder.Add(WithoutFirst(errors.out_transcoder, left_out), left_out);
  const at::Tensor values = WithoutFirst(deviation, left_out);
  sums.deviation.add_(values.sum(at::IntArrayRef{0, 1}));
  sums.deviation_squares.add_(values.square().sum());
}

void EvaluationSums::AddLosses(EvaluationVariant variant, const at::Tensor& ce, const at::Tensor& kl,
                               const at::Tensor& starts_with_bos) {
  AddLossesTo(all_, variant, ce, kl, at::zeros_like(starts_with_bos));
  AddLossesTo(no_bos_, variant, ce, kl, starts_with_bos);
}

void EvaluationSums::AddLossesTo(Sums& sums, EvaluationVariant variant, const at::Tensor& ce, const at::Tensor& kl,
                                 const at::Tensor& left_out) {
  const at::Tensor values = WithoutFirst(ce, left_out);
  sums.ce[variant].Add(values, left_out);
  sums.kl[variant].Add(WithoutFirst(kl, left_out), left_out);
  sums.sequence_ce[variant].push_back(MeansBySequence(values, left_out));
}

void EvaluationSums::Mean::Add(const at::Tensor& values, const at::Tensor& left_out) {
  sum.add_(values.sum());
  count.add_(values.numel() - left_out.sum());
}

double EvaluationSums::Mean::Value() const { return Read(sum) / Read(count); }

void EvaluationSums::PutFigures(const Sums& sums, const std::string& suffix, EvaluationResult& result) const {
  std::array<std::vector<double>, kVariantNames.size()> sequence_ce;
  std::array<double, kVariantNames.size()> ce{};
  for (size_t v = 0; v < kVariantNames.size(); ++v) {
    const std::string name = kVariantNames[v] + suffix;
    sequence_ce[v] = Read(sums.sequence_ce[v]);
    result["ce_" + name] = ce[v] = sums.ce[v].Value();
    if (v != kModelVariant) result["kl_" + name] = sums.kl[v].Value();
    result["se_ce_" + name] = StandardError(sequence_ce[v]);
  }
  PutLossRecovered(sequence_ce, ce, suffix, result);
  result["mse_mid" + suffix] = sums.mid.Value() / d_mlp_;
  result["mse_out" + suffix] = sums.out.Value() / d_model_;
  result["mse_out_transcoder" + suffix] = sums.out_transcoder.Value() / d_model_;
  const double variance = Read(sums.deviation_squares) - Read(sums.deviation.square().sum()) / Read(sums.out.count);
  if (!(variance > 0)) return;
  result["fvu_midcoder" + suffix] = Read(sums.out.sum) / variance;
  result["fvu_transcoder" + suffix] = Read(sums.out_transcoder.sum) / variance;
}

EvaluationResult EvaluationSums::Result() const {
  EvaluationResult result;
  PutFigures(all_, "", result);
  PutFigures(no_bos_, "_no_bos", result);
  result["tokens"] = Read(all_.mid.count);
  int64_t sequences = 0;
  for (const at::Tensor& part : all_.sequence_ce[kModelVariant]) sequences += part.numel();
  result["sequences"] = static_cast<double>(sequences);
  std::erase_if(result, [](const auto& figure) { return !std::isfinite(figure.second); });
  return result;
}

}  // namespace superpose
