// Tiles of matrices of similarities, of which nothing whole is ever held.
#pragma once

#include <ATen/core/Tensor.h>

#include <algorithm>
#include <cstdint>

namespace superpose {

inline constexpr int64_t kFactorTile = 1024;

// Rows [first, first + kFactorTile) of a matrix, or those that are left.
inline at::Tensor RowsFrom(const at::Tensor& matrix, int64_t first) {
  return matrix.narrow(0, first, std::min(kFactorTile, matrix.size(0) - first));
}

// The tiles on and above the diagonal of a symmetric [n, n] matrix, row by row.
class UpperTiles {
 public:
  explicit UpperTiles(int64_t n) : n_(n) {}
  int64_t row() const { return row_; }
  int64_t column() const { return column_; }
  bool is_diagonal() const { return row_ == column_; }
  bool done() const { return row_ >= n_; }
  void Next() {
    column_ += kFactorTile;
    if (column_ < n_) return;
    row_ += kFactorTile;
    column_ = row_;
  }

 private:
  int64_t n_;
  int64_t row_ = 0, column_ = 0;
};

// Room for tiles of up to [rows, columns]; float32 on the CPU.
class TileRoom {
 public:
  TileRoom(int64_t rows, int64_t columns);
  // left right^T, [left rows, right rows] contiguous, good until the next call.
  at::Tensor Similarities(const at::Tensor& left, const at::Tensor& right) const;

 private:
  at::Tensor room_;
};

}  // namespace superpose
