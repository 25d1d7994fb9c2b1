// Directions that cost nothing to think of, beside which a factorization should look good.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "lib/factorization/factor_tiles.h"

namespace superpose {

// Centres of k-means on unit rows (spherical k-means: a row belongs to the centre with the largest cosine, a centre is
// the mean of its rows at length 1), started at distinct rows, kRounds rounds of Lloyd's. A centre without rows, or
// whose rows cancel, stays where it was. min(count, n) centres.
class KMeansCentres {
 public:
  static constexpr int64_t kRounds = 10;
  // rows: float32 unit rows [n, d] on the CPU, contiguous.
  KMeansCentres(at::Tensor rows, int64_t count, uint64_t seed);
  // The next unit; true when it was the last. Throws what LibTorch throws.
  bool RunUnit();
  const at::Tensor& centres() const { return centres_; }  // float32 [min(count, n), d], unit rows

 private:
  void RunTile();
  void MoveCentres();

  const at::Tensor rows_;
  const TileRoom room_;
  at::Tensor centres_, sums_;
  at::Tensor nearest_, cosines_;  // int64, float32 [n]
  int64_t row_ = 0, column_ = 0;
  int64_t round_ = 0;
};

// The min(count, n, d) directions that hold most of the rows' squares: eigenvectors of rows^T rows, largest first. Not
// centred: directions are explained, not differences from a mean. float32 unit rows. One piece of work, of d^3.
at::Tensor PrincipalDirections(const at::Tensor& rows, int64_t count);

}  // namespace superpose
