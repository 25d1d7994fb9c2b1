#include "lib/statistics/analysis/ranking.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

namespace superpose {
namespace {

// Orders the first `most` indices of values that are not NaN; the others follow in any order, then those of NaN.
std::vector<int64_t> OrderFirst(const double* values, int64_t size, int64_t most, int64_t* defined) {
  std::vector<int64_t> order(size);
  std::iota(order.begin(), order.end(), int64_t{0});
  const auto end = std::stable_partition(order.begin(), order.end(), [&](int64_t i) { return !std::isnan(values[i]); });
  *defined = end - order.begin();
  std::partial_sort(order.begin(), order.begin() + std::min(most, *defined), end,
                    [&](int64_t a, int64_t b) { return values[a] != values[b] ? values[a] > values[b] : a < b; });
  return order;
}

}  // namespace

at::Tensor DescendingOrder(const at::Tensor& values) {
  const at::Tensor flat = values.contiguous();
  int64_t defined = 0;
  return at::tensor(OrderFirst(flat.const_data_ptr<double>(), flat.numel(), flat.numel(), &defined), at::kLong);
}

at::Tensor Ranks(const at::Tensor& values) {
  const at::Tensor order = DescendingOrder(values);
  return at::empty_like(order).index_copy_(0, order, at::arange(order.numel(), at::kLong));
}

at::Tensor LargestIndices(const at::Tensor& values, int64_t k) {
  const at::Tensor flat = values.contiguous();
  int64_t defined = 0;
  std::vector<int64_t> order = OrderFirst(flat.const_data_ptr<double>(), flat.numel(), k, &defined);
  order.resize(std::min(k, defined));
  return at::tensor(order, at::kLong);
}

}  // namespace superpose
