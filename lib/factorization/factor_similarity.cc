#include "lib/factorization/factor_similarity.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <utility>

namespace superpose {
namespace {

// Keeps, for rows of a tile (dim 1) or its columns (dim 0), what is larger than the best so far. offset: the index of
// the tile's first column or row. The first of equal ones stays.
void KeepLargest(const at::Tensor& tile, int64_t dim, int64_t offset, const at::Tensor& best, const at::Tensor& ids) {
  const auto [largest, places] = tile.max(dim);
  const at::Tensor is_better = largest.gt(best);
  best.copy_(at::where(is_better, largest, best));
  ids.copy_(at::where(is_better, places + offset, ids));
}

FactorMatch NoMatch(int64_t factors) {
  return {at::full({factors}, -1, at::kLong), at::full({factors}, -1, at::kFloat)};
}

}  // namespace

int64_t CountDuplicates(const FactorSimilarity& similarity, double limit) {
  return similarity.earlier.gt(limit).sum().item<int64_t>();
}

SimilarityScan::SimilarityScan(at::Tensor factors)
    : factors_(std::move(factors)),
      room_(std::min(kFactorTile, factors_.size(0)), std::min(kFactorTile, factors_.size(0))),
      tiles_(factors_.size(0)),
      similarity_{at::full({factors_.size(0)}, -1, at::kLong), at::full({factors_.size(0)}, -1, at::kFloat),
                  at::full({factors_.size(0)}, -1, at::kFloat), at::zeros({kSimilarityBins}, at::kLong)} {}

bool SimilarityScan::RunUnit() {
  const int64_t row = tiles_.row(), column = tiles_.column();
  at::Tensor tile = room_.Similarities(RowsFrom(factors_, row), RowsFrom(factors_, column)).clamp_(-1, 1);
  at::Tensor passed;  // pairs that come again, and factors with themselves
  if (tiles_.is_diagonal()) {
    passed = at::ones(tile.sizes(), at::kBool).tril_();
    tile.masked_fill_(passed, 2);
  }
  similarity_.histogram.add_(at::histc(tile, kSimilarityBins, -1, 1).to(at::kLong));
  tile.abs_();
  if (passed.defined()) tile.masked_fill_(passed, -1);
  const auto of = [&](const at::Tensor& all, int64_t first) { return RowsFrom(all, first); };
  KeepLargest(tile, 1, column, of(similarity_.closeness, row), of(similarity_.nearest, row));
  KeepLargest(tile, 0, row, of(similarity_.closeness, column), of(similarity_.nearest, column));
  const at::Tensor earlier = of(similarity_.earlier, column);
  earlier.copy_(at::maximum(earlier, std::get<0>(tile.max(0))));
  tiles_.Next();
  return tiles_.done();
}

FactorMatcher::FactorMatcher(at::Tensor left, at::Tensor right)
    : left_(std::move(left)),
      right_(std::move(right)),
      room_(std::min(kFactorTile, left_.size(0)), std::min(kFactorTile, right_.size(0))),
      left_match_(NoMatch(left_.size(0))),
      right_match_(NoMatch(right_.size(0))) {}

bool FactorMatcher::RunUnit() {
  const at::Tensor tile = room_.Similarities(RowsFrom(left_, row_), RowsFrom(right_, column_)).abs_().clamp_max_(1);
  KeepLargest(tile, 1, column_, RowsFrom(left_match_.cosine, row_), RowsFrom(left_match_.match, row_));
  KeepLargest(tile, 0, row_, RowsFrom(right_match_.cosine, column_), RowsFrom(right_match_.match, column_));
  column_ += kFactorTile;
  if (column_ < right_.size(0)) return false;
  column_ = 0;
  row_ += kFactorTile;
  return row_ >= left_.size(0);
}

}  // namespace superpose
