#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "lib/factorization/decoder_term.h"
#include "lib/factorization/factor_tiles.h"

namespace superpose {

// The reference's decoder term: mean over all pairs of the batch, a decoder with itself among them, of
//   w(S) (S - S_hat)^2,   S = B B^T,   S_hat = B_hat B_hat^T,   B_hat = (B F^T) F,   w(s) = tanh((s / theta)^2),
// where w is constant. B_hat = B M with M = F^T F [d, d], so that nothing is as large as batch times factors: with
// E = w(S) (S - S_hat), N = batch size, the gradient is
//   G = -4 / N^2 E B_hat,   P = B^T G,   dF = F (P + P^T).
class GramTerm final : public DecoderTerm {
 public:
  GramTerm(int64_t most_rows, int64_t d, double theta);

  void Begin(const at::Tensor& batch) override;
  bool RunUnit(const at::Tensor& factors, const at::Tensor& gradient) override;
  double loss() const override;

 private:
  enum class Phase { kMoment, kImage, kPairs, kMomentGradient, kGradient };

  void RunMomentPanel(const at::Tensor& factors);
  void ComputeImage();
  void RunPairs();
  void FinishPairs();
  bool RunGradientBlock(const at::Tensor& factors, const at::Tensor& gradient);
  at::Tensor image() const { return image_.narrow(0, 0, rows_); }
  at::Tensor image_gradient() const { return image_gradient_.narrow(0, 0, rows_); }

  const int64_t d_;
  const float theta_;
  const TileRoom similarities_, image_similarities_;
  at::Tensor moment_;                  // M, then P + P^T
  at::Tensor image_, image_gradient_;  // B_hat; E B_hat
  at::Tensor batch_;
  int64_t rows_ = 0;
  Phase phase_ = Phase::kMoment;
  int64_t at_ = 0;  // first column of M or row of the gradient to come
  UpperTiles tiles_;
  double sum_ = 0;
};

}  // namespace superpose
