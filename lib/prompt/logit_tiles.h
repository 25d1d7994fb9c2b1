#pragma once

#include <ATen/core/Tensor.h>

#include <algorithm>
#include <cstdint>

namespace superpose {

// Rows of logits that exist at once: 128 x 50,257 float32 are 26 MB.
inline constexpr int64_t kLogitTileRows = 128;

// Calls body(begin, end) for one tile of rows after the other.
template <typename Body>
void ForLogitTiles(int64_t rows, Body body) {
  for (int64_t begin = 0; begin < rows; begin += kLogitTileRows) body(begin, std::min(begin + kLogitTileRows, rows));
}

// The last row of every sequence, among rows that are all sequences' positions one after the other.
template <typename Sequences>
std::vector<int64_t> LastRows(const Sequences& sequences, size_t begin, size_t end) {
  std::vector<int64_t> rows;
  int64_t row = 0;
  for (size_t index = begin; index < end; ++index) {
    row += static_cast<int64_t>(sequences[index].size());
    rows.push_back(row - 1);
  }
  return rows;
}

}  // namespace superpose
