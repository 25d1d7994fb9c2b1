#include "lib/factorization/factor_pairs.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <vector>

#include "lib/factorization/factor_loops.h"

namespace superpose {
namespace {

constexpr int64_t kRowsAtOnce = 16;

// A row that crosses the diagonal: the element there has another target.
double WeighDiagonalRow(float* row, int64_t n, int64_t diagonal, float theta) {
  return WeighFactorSimilarities(row, diagonal, theta, 0) + WeighFactorSimilarities(row + diagonal, 1, theta, 1) +
         WeighFactorSimilarities(row + diagonal + 1, n - diagonal - 1, theta, 0);
}

// The tile becomes derivatives; returns the sum of its losses, row by row so that it depends on no number of threads.
double WeighTile(const at::Tensor& tile, bool is_diagonal, float theta) {
  const int64_t rows = tile.size(0), n = tile.size(1);
  float* const values = tile.mutable_data_ptr<float>();
  std::vector<double> sums(rows);
  at::parallel_for(0, rows, kRowsAtOnce, [&](int64_t first, int64_t last) {
    for (int64_t r = first; r < last; ++r) {
      sums[r] = is_diagonal ? WeighDiagonalRow(values + r * n, n, r, theta)
                            : WeighFactorSimilarities(values + r * n, n, theta, 0);
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
  const double sum = WeighTile(tile, tiles_.is_diagonal(), theta_);
  const double alpha = 2 * scale / pairs_;  // each of a pair is in q_ij and in q_ji
  RowsFrom(gradient, tiles_.row()).addmm_(tile, columns, 1, alpha);
  if (!tiles_.is_diagonal()) RowsFrom(gradient, tiles_.column()).addmm_(tile.t(), rows, 1, alpha);
  sum_ += tiles_.is_diagonal() ? sum : 2 * sum;
  tiles_.Next();
  return tiles_.done();
}

}  // namespace superpose
