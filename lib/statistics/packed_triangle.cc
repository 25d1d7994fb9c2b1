#include "lib/statistics/packed_triangle.h"

#include <ATen/ATen.h>

#include <algorithm>

namespace superpose {
namespace {

template <typename Value>
void CopyRows(const at::Tensor& packed, int64_t n, const at::Tensor& rows, at::Tensor* result) {
  const Value* triangle = packed.const_data_ptr<Value>();
  const int64_t* wanted = rows.const_data_ptr<int64_t>();
  Value* to = result->mutable_data_ptr<Value>();
  const int64_t count = rows.numel();
  // Row j of the triangle begins at `start` and holds columns j .. n - 1.
  for (int64_t j = 0, start = 0; j < n; start += n - j, ++j) {
    for (int64_t r = 0; r < count; ++r) {
      const int64_t i = wanted[r];
      if (i > j) to[r * n + j] = triangle[start + (i - j)];
      if (i == j) std::copy_n(triangle + start, n - j, to + r * n + j);
    }
  }
}

}  // namespace

at::Tensor TriangleRows(const at::Tensor& packed, int64_t n, const at::Tensor& rows) {
  at::Tensor result = at::empty({rows.numel(), n}, packed.options());
  TORCH_CHECK(packed.is_contiguous() && packed.numel() == n * (n + 1) / 2, "no triangle of ", n, " rows");
  switch (packed.scalar_type()) {
    case at::kLong:
      CopyRows<int64_t>(packed, n, rows, &result);
      break;
    case at::kDouble:
      CopyRows<double>(packed, n, rows, &result);
      break;
    default:
      CopyRows<float>(packed, n, rows, &result);
  }
  return result;
}

}  // namespace superpose
