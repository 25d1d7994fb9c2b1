// C = D D^T of unit directions D, C[i, j] set to 0 where it is under theta (the notebook's `C[C<theta] = 0`), a tile at
// a time: nothing here is n x n. Negative cosines go too where theta > 0, so C may have negative eigenvalues.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "lib/factorization/gram_tiles.h"

namespace superpose {

// CONFIG_INVALID unless -1 <= theta <= 1 (-1 keeps all).
absl::Status CheckTheta(double theta);

class ThresholdedGram {
 public:
  // Cosines of float32 directions are worked out as `type`, float32 or float64. The diagonal is exactly 1, and cosines
  // that are 1 but for rounding pass a theta of 1. The errors of CheckTheta and UnitDirections.
  static absl::StatusOr<std::shared_ptr<const ThresholdedGram>> Create(const at::Tensor& directions, double theta,
                                                                       at::ScalarType type);

  int64_t size() const { return units_.size(0); }
  at::Device device() const { return units_.device(); }
  at::ScalarType type() const { return units_.scalar_type(); }
  const at::Tensor& units() const { return units_; }  // [n, d]
  // Whether its entries are float32, and positive where they are not 0.
  bool CanBeCompressed() const { return type() == at::kFloat && below_ >= 0; }
  // [rows, columns] of C. May throw what LibTorch throws.
  at::Tensor Tile(const GramTile& tile) const;

 private:
  ThresholdedGram(at::Tensor units, double theta);

  at::Tensor units_;
  double below_;  // the largest number of the type that does not pass
};

}  // namespace superpose
