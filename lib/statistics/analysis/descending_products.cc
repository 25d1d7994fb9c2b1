#include "lib/statistics/analysis/descending_products.h"

#include <algorithm>
#include <utility>

namespace superpose {
namespace {

// Orders of 1, 2 or 3 factors at ascending places.
int Orders(int length, const std::array<int32_t, 3>& at) {
  if (length == 1) return 1;
  if (length == 2) return at[0] == at[1] ? 1 : 2;
  if (at[0] == at[2]) return 1;
  return at[0] == at[1] || at[1] == at[2] ? 3 : 6;
}

}  // namespace

DescendingProducts::DescendingProducts(std::vector<double> values, const std::vector<int>& lengths)
    : values_(std::move(values)) {
  for (const int length : lengths) Push(length, {0, 0, 0});
}

void DescendingProducts::Push(int length, const std::array<int32_t, 3>& at) {
  if (at[length - 1] >= static_cast<int64_t>(values_.size())) return;
  double value = values_[at[0]];
  for (int factor = 1; factor < length; ++factor) value *= values_[at[factor]];
  heap_.push_back({value, length, at});
  std::push_heap(heap_.begin(), heap_.end(), [](const Node& a, const Node& b) { return a.value < b.value; });
}

// Every product is reached once, from one that is no smaller: from places (i, j, k) the last one goes on to k + 1, and
// where others are at k, too, so do they: (i, k + 1, k + 1) and (k + 1, k + 1, k + 1).
DescendingProducts::Product DescendingProducts::Next() {
  std::pop_heap(heap_.begin(), heap_.end(), [](const Node& a, const Node& b) { return a.value < b.value; });
  const Node node = heap_.back();
  heap_.pop_back();
  const int last = node.length - 1;
  std::array<int32_t, 3> next = node.at;
  for (int first = last; first >= 0 && node.at[first] == node.at[last]; --first) {
    next[first] = node.at[last] + 1;
    Push(node.length, next);
  }
  return {node.value, Orders(node.length, node.at)};
}

}  // namespace superpose
