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

// Figures by name; one that is not defined or not finite is absent, so that no value is ever NaN. `v` is a variant.
// Over all positions that predict (all but the last of a sequence), in nats: ce_v mean cross-entropy; kl_v mean
// KL(model || variant), not for the model itself; se_ce_v standard error of ce_v over sequences (absent for one
// sequence). Over all tokens: mse_mid mean (mid - pre)^2, mse_out mean (mlp_out - out)^2, mse_out_transcoder;
// fvu_{midcoder,transcoder} = sum |out - out_v|^2 / sum |out - mean out|^2.
// loss_recovered_{midcoder,transcoder,mean,relu_gate} = (ce_zero - ce_v) / (ce_zero - ce_model), absent when the
// denominator is under 3 of its own standard errors over sequences. Each of these again as .._no_bos, without BOS
// positions. tokens, sequences: how many.
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
    at::Tensor sum;    // float64 scalar
    at::Tensor count;  // int64 scalar
    // Values by position, zero where they are left out.
    void Add(const at::Tensor& values, const at::Tensor& left_out);
    double Value() const;
  };
  // Everything over one choice of positions: all, or all but BOS. What is added stays on the device until it is read.
  struct Sums {
    Mean mid, out, out_transcoder;
    std::array<Mean, kVariantNames.size()> ce, kl;
    std::array<std::vector<at::Tensor>, kVariantNames.size()> sequence_ce;  // means by sequence, float64
    at::Tensor deviation;                                                   // float64 [d_model]: sum of out - center
    at::Tensor deviation_squares;                                           // float64 scalar: of its squares
  };
  static Sums Zeros(const at::Tensor& center);
  static void AddErrorsTo(Sums& sums, const TokenErrors& errors, const at::Tensor& deviation,
                          const at::Tensor& left_out);
  static void AddLossesTo(Sums& sums, EvaluationVariant variant, const at::Tensor& ce, const at::Tensor& kl,
                          const at::Tensor& left_out);
  void PutFigures(const Sums& sums, const std::string& suffix, EvaluationResult& result) const;

  at::Tensor center_;
  double d_mlp_;
  double d_model_;
  Sums all_, no_bos_;
};

}  // namespace superpose
