#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "lib/factorization/gram_tiles.h"
#include "lib/factorization/thresholded_gram.h"
#include "lib/transcoder/sparse_activations.h"

namespace superpose {

// C times a few vectors, tile by tile, each of which serves both halves of C. A threshold leaves few entries: where
// those of a float32 C with theta > 0 fit in most_kept_bytes they are kept from the first product on, and later ones
// take a small part of its time; else a tile is worked out anew in each product. Vectors are rows. All may throw what
// LibTorch throws.
class GramProduct {
 public:
  GramProduct(std::shared_ptr<const ThresholdedGram> gram, int64_t most_vectors, const GramTiling& tiling,
              int64_t most_kept_bytes = 0);

  // Of directions [n, d]: how a product is divided into units.
  static GramTiles TilesOf(int64_t directions, int64_t d, int64_t most_vectors, const GramTiling& tiling) {
    return {directions, 2 * d + 4 * most_vectors, tiling};
  }

  // x: float64 [b, n] on the directions' device.
  void Begin(const at::Tensor& x);
  // Runs unit 0 .. units() - 1, each once and in order.
  void RunUnit(int64_t unit);
  int64_t units() const { return tiles_.units(); }
  // x C, float64 [b, n], after the last unit; sums within a tile are of C's type.
  const at::Tensor& product() const { return product_; }
  // Entries of C that are not 0, after the first product.
  int64_t nonzeros() const { return nonzeros_; }
  // Whether later products use the entries of the first.
  bool keeps_entries() const { return keeps_; }

 private:
  // The entries of a tile and of its mirror image, which a tile on the diagonal does not have.
  struct KeptTile {
    SparseActivations entries;
    SparseActivations mirrored;
  };

  void AddTile(const GramTile& tile);
  void AddKeptTile(const GramTile& tile, const KeptTile& kept);
  void Keep(const GramTile& tile, const at::Tensor& entries);
  SparseActivations Compress(const at::Tensor& entries);

  std::shared_ptr<const ThresholdedGram> gram_;
  GramTiles tiles_;
  bool keeps_;
  int64_t room_;  // bytes for entries that are left
  std::vector<KeptTile> kept_;
  at::Tensor x_;        // [b, n] of C's type
  at::Tensor columns_;  // x_ transposed, while entries are kept
  at::Tensor product_;
  int64_t nonzeros_ = 0;
  int64_t products_ = 0;  // begun
};

}  // namespace superpose
