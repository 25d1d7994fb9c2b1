// Attention of one head, one thread, vectorised for the processor.
#pragma once

#include <cstdint>

#include "lib/kernels/vector_level.h"

namespace superpose {

// out[i, :] = sum over j <= i of softmax_j(scale q[i, :] . k[j, :]) v[j, :], for queries i in [begin, end) of one
// sequence. Rows of q, k, v [.., d_head] lie in_stride apart, those of out out_stride. A row of the result depends on
// the rows up to its own alone, in its bits too, as long as those behind are finite.
struct HeadAttention {
  const float* q = nullptr;
  const float* k = nullptr;
  const float* v = nullptr;
  int64_t in_stride = 0;
  float* out = nullptr;
  int64_t out_stride = 0;
  int64_t begin = 0, end = 0;
  int64_t d_head = 0;  // at most kMostHeadDimensions
  float scale = 1;
};
inline constexpr int64_t kMostHeadDimensions = 256;

void AttendCausally(const HeadAttention& attention, VectorLevel level = BestVectorLevel());

}  // namespace superpose
