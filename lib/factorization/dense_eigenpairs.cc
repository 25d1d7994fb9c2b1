#include "lib/factorization/dense_eigenpairs.h"

#include <ATen/ATen.h>

#include <limits>
#include <tuple>
#include <utility>

namespace superpose {

DenseEigenpairs::DenseEigenpairs(std::shared_ptr<const ThresholdedGram> gram, const EigenQuery& query,
                                 bool with_vectors)
    : gram_(std::move(gram)),
      by_magnitude_(query.by_magnitude),
      with_vectors_(with_vectors),
      k_(WantedPairs(query, gram_->size())),
      tiles_(TilesOf(gram_->size(), gram_->units().size(1), query)) {}

void DenseEigenpairs::RunUnit(int64_t unit) {
  if (unit < tiles_.units()) return Fill(unit);
  Decompose();
}

void DenseEigenpairs::Fill(int64_t unit) {
  const int64_t size = gram_->size();
  if (unit == 0) matrix_ = at::empty({size, size}, gram_->units().options());
  for (int64_t i = tiles_.first(unit); i < tiles_.last(unit); ++i) {
    const GramTile& tile = tiles_.tile(i);
    const at::Tensor entries = gram_->Tile(tile);
    pairs_.nonzeros += at::count_nonzero(entries).item<int64_t>() * (tile.on_diagonal() ? 1 : 2);
    matrix_.narrow(0, tile.row, tile.rows).narrow(1, tile.column, tile.columns).copy_(entries);
    if (tile.on_diagonal()) continue;
    matrix_.narrow(0, tile.column, tile.columns).narrow(1, tile.row, tile.rows).copy_(entries.t());
  }
}

void DenseEigenpairs::Decompose() {
  at::Tensor values, vectors;
  if (with_vectors_) {
    std::tie(values, vectors) = at::linalg_eigh(matrix_);
  } else {
    values = at::linalg_eigvalsh(matrix_);
  }
  matrix_.reset();
  values = values.cpu();
  const at::Tensor order = OrderOfEigenvalues(values, by_magnitude_, k_);
  pairs_.values = values.index_select(0, order);
  pairs_.converged = order.numel();
  pairs_.rounding =
      static_cast<double>(gram_->size()) * std::numeric_limits<double>::epsilon() * values.abs().max().item<double>();
  if (!with_vectors_) return;
  // LAPACK's columns lie one after another: their transpose has contiguous rows.
  pairs_.vectors = vectors.t().index_select(0, order.to(vectors.device()));
  MakeLargestPositive(pairs_.vectors);
}

Eigenpairs DenseEigenpairs::Take() { return std::move(pairs_); }

}  // namespace superpose
