#include "lib/factorization/gram_product.h"

#include <ATen/ATen.h>

#include <utility>

#include "lib/kernels/dense_ops.h"
#include "lib/kernels/sparse_ops.h"
#include "lib/transcoder/compress.h"

namespace superpose {

GramProduct::GramProduct(std::shared_ptr<const ThresholdedGram> gram, int64_t most_vectors, const GramTiling& tiling,
                         int64_t most_kept_bytes)
    : gram_(std::move(gram)),
      tiles_(TilesOf(gram_->size(), gram_->units().size(1), most_vectors, tiling)),
      keeps_(gram_->CanBeCompressed()),
      room_(most_kept_bytes) {}

void GramProduct::Begin(const at::Tensor& x) {
  ++products_;
  x_ = x.to(gram_->type());
  if (keeps_ && products_ > 1) columns_ = x_.t().contiguous();
  product_ = at::zeros_like(x);
}

void GramProduct::RunUnit(int64_t unit) {
  for (int64_t i = tiles_.first(unit); i < tiles_.last(unit); ++i) {
    if (keeps_ && products_ > 1) {
      AddKeptTile(tiles_.tile(i), kept_[i]);
    } else {
      AddTile(tiles_.tile(i));
    }
  }
}

void GramProduct::AddTile(const GramTile& tile) {
  const at::Tensor entries = gram_->Tile(tile);
  if (products_ == 1) {
    nonzeros_ += at::count_nonzero(entries).item<int64_t>() * (tile.on_diagonal() ? 1 : 2);
    Keep(tile, entries);
  }
  product_.narrow(1, tile.column, tile.columns).add_(Multiply(x_.narrow(1, tile.row, tile.rows), entries));
  if (tile.on_diagonal()) return;
  product_.narrow(1, tile.row, tile.rows).add_(Multiply(x_.narrow(1, tile.column, tile.columns), entries.t()));
}

void GramProduct::AddKeptTile(const GramTile& tile, const KeptTile& kept) {
  const at::Tensor rows = columns_.narrow(0, tile.row, tile.rows);
  const at::Tensor others = columns_.narrow(0, tile.column, tile.columns);
  product_.narrow(1, tile.row, tile.rows).add_(SparseTimesDense(kept.entries, others, {}).t());
  if (tile.on_diagonal()) return;
  product_.narrow(1, tile.column, tile.columns).add_(SparseTimesDense(kept.mirrored, rows, {}).t());
}

void GramProduct::Keep(const GramTile& tile, const at::Tensor& entries) {
  if (!keeps_) return;
  KeptTile kept{.entries = Compress(entries), .mirrored = {}};
  if (!tile.on_diagonal()) kept.mirrored = Compress(entries.t().contiguous());
  kept_.push_back(std::move(kept));
  keeps_ = room_ >= 0;
  if (!keeps_) kept_.clear();
}

SparseActivations GramProduct::Compress(const at::Tensor& entries) {
  SparseActivations sparse = CompressAbove(entries, at::zeros({entries.size(1)}, entries.options()));
  room_ -= static_cast<int64_t>(sparse.row_splits.nbytes() + sparse.feature_ids.nbytes() + sparse.values.nbytes());
  return sparse;
}

}  // namespace superpose
