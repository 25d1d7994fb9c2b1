#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "lib/factorization/factor_tiles.h"

namespace superpose {

// The factors' own term, a tile at a time: mean over all pairs (i, j), i = j among them, of
//   w(q_ij) (q_ij - 1[i = j])^2,   q = F F^T,   w(s) = tanh((s / theta)^2),
// and its gradient with respect to F, the derivative of w taken along. A tile's weights, losses and derivatives are one
// pass over it; tiles below the diagonal are never computed.
class FactorPairs {
 public:
  FactorPairs(int64_t factors, double theta);

  void Begin();
  // The next tile: gradient += scale * its part of the term's gradient. True when it was the last. Factors and
  // gradient: float32 [factors, d] contiguous on the CPU.
  bool RunTile(const at::Tensor& factors, const at::Tensor& gradient, double scale);
  // The term, when all tiles are done.
  double loss() const { return sum_ / pairs_; }

 private:
  const int64_t factors_;
  const float theta_;
  const double pairs_;
  const TileRoom room_;
  UpperTiles tiles_;
  double sum_ = 0;
};

}  // namespace superpose
