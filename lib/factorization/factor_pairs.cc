#include "lib/factorization/factor_pairs.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <vector>

#include "lib/factorization/factor_loops.h"
#include "lib/kernels/dense_ops.h"

namespace superpose {
namespace {

constexpr int64_t kRowsAtOnce = 16;

// A row that crosses the diagonal: the element there has another target.
double WeighDiagonalRow(float* row, int64_t n, int64_t diagonal, float theta, float scale) {
  return WeighFactorSimilarities(row, diagonal, theta, 0, scale) +
         WeighFactorSimilarities(row + diagonal, 1, theta, 1, scale) +
         WeighFactorSimilarities(row + diagonal + 1, n - diagonal - 1, theta, 0, scale);
}

// The tile becomes scaled derivatives; returns the sum of its losses, row by row so that it depends on no number of
// threads.
double WeighTile(const at::Tensor& tile, bool is_diagonal, float theta, float scale) {
  const int64_t rows = tile.size(0), n = tile.size(1);
  float* const values = tile.mutable_data_ptr<float>();
  std::vector<double> sums(rows);
  at::parallel_for(0, rows, kRowsAtOnce, [&](int64_t first, int64_t last) {
    for (int64_t r = first; r < last; ++r) {
      sums[r] = is_diagonal ? WeighDiagonalRow(values + r * n, n, r, theta, scale)
                            : WeighFactorSimilarities(values + r * n, n, theta, 0, scale);
    }
  });
  double total = 0;
  for (const double sum : sums) total += sum;
  return total;
}

}  // namespace

FactorPairs::FactorPairs(int64_t factors, double theta)
    : factors_(factors),
      theta_(static_cast<float>(theta)),
      pairs_(static_cast<double>(factors) * static_cast<double>(factors)),
      room_(std::min(kFactorTile, factors), std::min(kFactorTile, factors)),
      tiles_(factors) {}

void FactorPairs::Begin() {
  tiles_ = UpperTiles(factors_);
  sum_ = 0;
}

bool FactorPairs::RunTile(const at::Tensor& factors, const at::Tensor& gradient, double scale) {
  const at::Tensor rows = RowsFrom(factors, tiles_.row()), columns = RowsFrom(factors, tiles_.column());
  const at::Tensor tile = room_.Similarities(rows, columns);
  // Each of a pair is in q_ij and in q_ji.
  const double sum = WeighTile(tile, tiles_.is_diagonal(), theta_, static_cast<float>(2 * scale / pairs_));
  AddProduct(tile, columns, RowsFrom(gradient, tiles_.row()));
  if (!tiles_.is_diagonal()) AddProduct(tile.t(), rows, RowsFrom(gradient, tiles_.column()));
  sum_ += tiles_.is_diagonal() ? sum : 2 * sum;
  tiles_.Next();
  return tiles_.done();
}

}  // namespace superpose
