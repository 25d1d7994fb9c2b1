// Weighted sums of rows of a float32 matrix, one thread, vectorised for the processor. A sum's order is that of its
// terms: its bits depend on no size and no division of the work, and on the level only by rounding.
#pragma once

#include <cstdint>

#include "lib/kernels/vector_level.h"

namespace superpose {

// Columns at a time: their sums stay in registers, and what many sums need of such a panel stays in cache.
inline constexpr int64_t kPanel = 256;

struct WeightedRows {
  const float* first_row = nullptr;
  int64_t stride = 0;  // from row to row
  const int32_t* ids = nullptr;
  const float* weights = nullptr;
  int64_t count = 0;
  int64_t ahead = 0;  // so many of `ids` behind the first `count` are wanted soon: their rows may be fetched
};

// out[c] = start[c] + sum over i < count of weights[i] * row ids[i] [c], for c < n <= kPanel; without a start from 0.
// out may be the start.
void SumRows(const WeightedRows& rows, int64_t n, const float* start, float* out,
             VectorLevel level = BestVectorLevel());

}  // namespace superpose
