// Which products of int8 rows and columns may be above a limit, given how far the vectors are from the ones that they
// stand for. On a processor with AVX-512 VNNI four times as fast as the product in float32, or more.
#pragma once

#include <cstdint>

namespace superpose {

inline constexpr int64_t kInt8GroupRows = 12;
inline constexpr int64_t kInt8PanelColumns = 32;
// Values of one row or column that lie side by side.
inline constexpr int64_t kInt8Depth = 4;

// Of what Int8Vector says of every row; by row.
struct Int8Group {
  const int8_t* values = nullptr;  // [depth / 4][12][4]
  const int32_t* sums = nullptr;   // of each row's values
  const float* scales = nullptr;
  const float* norms = nullptr;
  const float* errors = nullptr;
};
// The same of columns.
struct Int8Panel {
  const uint8_t* values = nullptr;  // [depth / 4][32][4], 128 more than they stand for
  const float* scales = nullptr;
  const float* lengths = nullptr;
  const float* errors = nullptr;
  const float* limits = nullptr;
};

// Whether this processor has the instructions that make it fast.
bool HasInt8Products();

// marks[row] bit column, for each of the 12 rows: unless
//   row scale * (column scale * (row . column)) + row error * column length + row norm * column error < column limit,
// in float32. So a NaN is marked. depth: a multiple of 4, at most 2^15.
void MarkInt8(const Int8Group& rows, const Int8Panel& columns, int64_t depth, uint32_t* marks);

}  // namespace superpose
