#include "lib/transcoder/int8_rows.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <vector>

#include "lib/kernels/int8_vector.h"
#include "lib/transcoder/int8_bound.h"

namespace superpose {
namespace {

// Rows [first, last) of those that are there; what comes after is zero.
void QuantizeGroups(const at::Tensor& x, float longest, int64_t first, int64_t last, const Int8Rows& rows) {
  const int64_t count = x.size(0), d_model = x.size(1), depth = Int8DepthOf(d_model);
  const float* data = x.const_data_ptr<float>();
  auto* packed = rows.values.mutable_data_ptr<int8_t>();
  auto* sums = rows.sums.mutable_data_ptr<int32_t>();
  float* const scales = rows.measures.mutable_data_ptr<float>();
  float *const norms = scales + rows.padded, *const errors = norms + rows.padded;
  std::vector<float> rotated(depth);
  std::vector<int8_t> q(depth);
  for (int64_t r = first; r < last; ++r) {
    std::fill(rotated.begin(), rotated.end(), 0.0F);
    if (r < count) std::copy_n(data + r * d_model, d_model, rotated.begin());
    RotateBlocks(rotated.data(), depth, Int8BlockOf(depth));
    const Int8Vector vector = QuantizeInt8(rotated.data(), depth, q.data());
    scales[r] = vector.scale;
    norms[r] = vector.norm * kInt8RoundedUp;
    // Where a product could overflow, or x is not finite, nothing is known: every feature is marked.
    const bool is_known = vector.length * longest <= kInt8Largest && longest <= kInt8Largest;
    errors[r] = is_known ? Int8ErrorOf(vector.error, vector.length, depth) : std::numeric_limits<float>::infinity();
    sums[r] = vector.sum;
    int8_t* group = packed + r / kInt8GroupRows * kInt8GroupRows * depth + r % kInt8GroupRows * kInt8Depth;
    for (int64_t k = 0; k < depth; k += kInt8Depth) std::memcpy(group + k * kInt8GroupRows, &q[k], kInt8Depth);
  }
}

}  // namespace

Int8Group Int8Rows::GroupAt(int64_t row) const {
  const float* scales = measures.const_data_ptr<float>() + row;
  return {.values = values.const_data_ptr<int8_t>() + row * values.size(1) * kInt8Depth,
          .sums = sums.const_data_ptr<int32_t>() + row,
          .scales = scales,
          .norms = scales + padded,
          .errors = scales + 2 * padded};
}

Int8Rows QuantizeRows(const at::Tensor& x, float longest) {
  Int8Rows rows;
  const int64_t groups = (x.size(0) + kInt8GroupRows - 1) / kInt8GroupRows;
  rows.padded = groups * kInt8GroupRows;
  rows.values = at::empty({groups, Int8DepthOf(x.size(1)) / kInt8Depth, kInt8GroupRows, kInt8Depth}, at::kChar);
  rows.sums = at::empty({rows.padded}, at::kInt);
  rows.measures = at::empty({3, rows.padded}, at::kFloat);
  at::parallel_for(0, rows.padded, kInt8GroupRows,
                   [&](int64_t first, int64_t last) { QuantizeGroups(x, longest, first, last, rows); });
  return rows;
}

}  // namespace superpose
