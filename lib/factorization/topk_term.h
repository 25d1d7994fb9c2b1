#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "lib/factorization/code_pursuit.h"
#include "lib/factorization/decoder_term.h"

namespace superpose {

// The decoder term of form topk: mean over the batch of |b - sum over c of a_c f_c|^2, with the factors f_c and
// magnitudes a_c of CodePursuit. The gradient is exact for the factors taken: magnitudes minimise the term, so that
// what they change with the factors adds nothing to it, and dF_c = -2 / N sum over decoders of a_c (b - ..).
class TopKTerm final : public DecoderTerm {
 public:
  TopKTerm(int64_t most_rows, int64_t factors, int64_t d, int64_t codes);

  void Begin(const at::Tensor& batch) override;
  bool RunUnit(const at::Tensor& factors, const at::Tensor& gradient) override;
  double loss() const override { return sum_ / static_cast<double>(batch_.size(0)); }

 private:
  void FinishRows(const at::Tensor& gradient);

  CodePursuit pursuit_;
  at::Tensor batch_;
  int64_t row_ = 0;  // first of those that the pursuit works on
  bool has_begun_ = false;
  double sum_ = 0;
};

}  // namespace superpose
