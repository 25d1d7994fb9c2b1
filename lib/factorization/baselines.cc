#include "lib/factorization/baselines.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "lib/corpus/corpus.h"
#include "lib/kernels/dense_ops.h"

namespace superpose {
namespace {

at::Tensor DistinctRows(const at::Tensor& rows, int64_t count, uint64_t seed) {
  const std::vector<int64_t> ids = SequenceSampler(rows.size(0), SequenceOrder::kShuffled, seed).Next(count);
  return rows.index_select(0, at::tensor(ids, at::kLong));
}

}  // namespace

KMeansCentres::KMeansCentres(at::Tensor rows, int64_t count, uint64_t seed)
    : rows_(std::move(rows)),
      room_(std::min(kFactorTile, rows_.size(0)), std::min({kFactorTile, count, rows_.size(0)})),
      centres_(DistinctRows(rows_, std::min(count, rows_.size(0)), seed)),
      sums_(at::empty_like(centres_)),
      nearest_(at::zeros({rows_.size(0)}, at::kLong)),
      cosines_(at::empty({rows_.size(0)}, at::kFloat)) {}

bool KMeansCentres::RunUnit() {
  RunTile();
  if (row_ < rows_.size(0)) return false;
  MoveCentres();
  row_ = 0;
  return ++round_ == kRounds;
}

void KMeansCentres::RunTile() {
  const at::Tensor tile = room_.Similarities(RowsFrom(rows_, row_), RowsFrom(centres_, column_));
  const auto [largest, places] = tile.max(1);
  const at::Tensor cosines = RowsFrom(cosines_, row_), nearest = RowsFrom(nearest_, row_);
  if (column_ == 0) cosines.fill_(-2);
  const at::Tensor is_better = largest.gt(cosines);
  cosines.copy_(at::where(is_better, largest, cosines));
  nearest.copy_(at::where(is_better, places + column_, nearest));
  column_ += kFactorTile;
  if (column_ < centres_.size(0)) return;
  column_ = 0;
  row_ += kFactorTile;
}

void KMeansCentres::MoveCentres() {
  constexpr double kCancelled = 1e-6;
  sums_.zero_().index_add_(0, nearest_, rows_);
  const at::Tensor norms = sums_.norm(2, at::IntArrayRef{1}, /*keepdim=*/true);
  const at::Tensor moves = norms.gt(kCancelled);
  sums_.div_(norms.clamp_min(kCancelled));
  centres_.copy_(at::where(moves, sums_, centres_));
}

at::Tensor PrincipalDirections(const at::Tensor& rows, int64_t count) {
  const int64_t taken = std::min({count, rows.size(0), rows.size(1)});
  const at::Tensor vectors = std::get<1>(at::linalg_eigh(Multiply(rows.t(), rows).to(at::kDouble)));  // smallest first
  return vectors.narrow(1, rows.size(1) - taken, taken).flip(1).t().to(at::kFloat).contiguous();
}

}  // namespace superpose
