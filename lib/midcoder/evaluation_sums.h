// The sums behind an evaluation, and the figures made of them.
#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace superpose {

// What stands in the place of the MLP's output.
enum EvaluationVariant : int {
  kModelVariant,
  kMidcoderVariant,
  kTranscoderVariant,
  kZeroVariant,
  kMeanVariant,
  kReluGateVariant
};
inline constexpr std::array<const char*, 6> kVariantNames = {"model", "midcoder", "transcoder",
                                                             "zero",  "mean",     "relu_gate"};

// Figures by name; one that is not defined is absent, so that no value is ever NaN. `v` is a variant. Over all
// positions that predict (all but the last of a sequence), in nats: ce_v mean cross-entropy; kl_v mean KL(model ||
// variant), not for the model itself; se_ce_v standard error of ce_v over sequences (absent for one sequence). Over all
// tokens: mse_mid mean (mid - pre)^2, mse_out mean (mlp_out - out)^2, mse_out_transcoder. Each ce, kl and mse again as
// .._no_bos, without BOS positions. loss_recovered_{midcoder,transcoder,mean,relu_gate} = (ce_zero - ce_v) / (ce_zero -
// ce_model), absent when the denominator is under 3 of its own standard errors over sequences.
// fvu_{midcoder,transcoder} = sum |out - out_v|^2 / sum |out - mean out|^2 over tokens but BOS. tokens, sequences: how
// many.
using EvaluationResult = std::map<std::string, double>;

class EvaluationSums {
 public:
  // `center` float32 [d_model]: near the mean of the MLP's output, for a variance without cancellation.
  EvaluationSums(const at::Tensor& center, int64_t d_mlp);

  // Squared errors by token, float64 [sequences, positions] each, and which sequences start with BOS, bool [sequences].
  struct TokenErrors {
    at::Tensor mid, out, out_transcoder;
  };
  void AddErrors(const TokenErrors& errors, const at::Tensor& mlp_out, const at::Tensor& starts_with_bos);
  // Cross-entropy and KL of a variant by predicting position, [sequences, positions - 1].
  void AddLosses(EvaluationVariant variant, const at::Tensor& ce, const at::Tensor& kl,
                 const at::Tensor& starts_with_bos);

  EvaluationResult Result() const;

 private:
  struct Mean {
    double sum = 0;
    double count = 0;
  };
  // A mean over all positions and one without BOS.
  struct Means {
    Mean all, no_bos;
    void Add(const at::Tensor& by_position, const at::Tensor& starts_with_bos);
  };
  void PutMeans(const std::string& name, const Means& means, double divisor, EvaluationResult& result) const;
  void PutLossRecovered(EvaluationResult& result) const;
  void PutUnexplainedVariance(EvaluationResult& result) const;

  at::Tensor center_;
  double d_mlp_;
  double d_model_;
  Means mid_, out_, out_transcoder_;
  at::Tensor deviation_sum_;         // float64 [d_model]: sum of out - center over tokens but BOS
  double deviation_square_sum_ = 0;  // of its squares
  std::array<Means, kVariantNames.size()> ce_, kl_;
  std::array<std::vector<double>, kVariantNames.size()> sequence_ce_;
};

}  // namespace superpose
