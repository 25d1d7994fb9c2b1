#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "lib/factorization/factor_tiles.h"

namespace superpose {

// Sparse codes of rows on unit factors by orthogonal matching pursuit (Pati, Rezaiifar, Krishnaprasad 1993): in each
// round a row takes the factor that has the largest |product| with what is left of it, then the magnitudes of all that
// it has become those that leave least (least squares, by Cholesky in double). A row ends early when nothing is left of
// it (its squared length fell to 1e-10 of what it was), or no factor has any of that, or the factor lies in the span of
// those it has. All is float32 on the CPU; products are taken a block of factors at a time.
class CodePursuit {
 public:
  CodePursuit(int64_t most_rows, int64_t factors, int64_t d, int64_t codes);

  void Begin(const at::Tensor& rows);  // [at most most_rows, d]; must stay until the end
  // The next block of factors; true when codes are final. factors: [factors, d], the same in all blocks.
  bool RunBlock(const at::Tensor& factors);

  at::Tensor ids() const { return ids_.narrow(0, 0, count_); }  // int32 [rows, codes], in the order taken; -1 after
  at::Tensor values() const { return values_.narrow(0, 0, count_); }      // float32 [rows, codes], 0 where the id is -1
  at::Tensor residual() const { return residual_.narrow(0, 0, count_); }  // rows minus what their codes make, [rows, d]

 private:
  void UpdateBest(const at::Tensor& products);
  void FinishRound(const at::Tensor& factors);
  void TakeFactor(const at::Tensor& factors, int64_t row);

  const int64_t factors_, d_, codes_;
  const TileRoom room_;
  at::Tensor rows_;
  at::Tensor residual_;
  at::Tensor ids_, values_;
  at::Tensor best_;      // float32 [rows], largest |product| of the round
  at::Tensor best_id_;   // int32 [rows]; -1 where there is none
  at::Tensor ended_;     // bool [rows]
  at::Tensor cholesky_;  // float64 [rows, codes, codes], lower; of the products of a row's factors
  at::Tensor target_;    // float64 [rows, codes], products of the row with its factors
  at::Tensor squares_;   // float64 [rows], of the rows
  int64_t count_ = 0;
  int64_t round_ = 0;
  int64_t factor_ = 0;  // first of the block to come
};

}  // namespace superpose
