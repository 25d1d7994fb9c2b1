#include "lib/factorization/factor_tiles.h"

#include <ATen/ATen.h>

#include "lib/kernels/dense_ops.h"

namespace superpose {

TileRoom::TileRoom(int64_t rows, int64_t columns) : room_(at::empty({rows * columns}, at::kFloat)) {}

at::Tensor TileRoom::Similarities(const at::Tensor& left, const at::Tensor& right) const {
  const int64_t rows = left.size(0), columns = right.size(0);
  at::Tensor tile = room_.narrow(0, 0, rows * columns).view({rows, columns});
  MultiplyInto(left, right.t(), tile);
  return tile;
}

}  // namespace superpose
