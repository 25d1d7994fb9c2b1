// Rows of a matrix in blocks of about as many entries as a unit of work takes.
#pragma once

#include <algorithm>
#include <cstdint>

namespace superpose {

// Entries of a unit: some 50 ms of elementwise work in float64.
inline constexpr int64_t kUnitEntries = int64_t{1} << 21;

class RowBlocks {
 public:
  RowBlocks(int64_t rows, int64_t entries_per_row, int64_t entries_per_block)
      : rows_(rows), size_(std::max<int64_t>(1, entries_per_block / std::max<int64_t>(1, entries_per_row))) {}

  int64_t count() const { return (rows_ + size_ - 1) / size_; }
  int64_t start(int64_t block) const { return block * size_; }
  int64_t length(int64_t block) const { return std::min(size_, rows_ - start(block)); }

 private:
  int64_t rows_;
  int64_t size_;
};

}  // namespace superpose
