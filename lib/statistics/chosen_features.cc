#include "lib/statistics/chosen_features.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <tuple>

namespace superpose {
namespace {

// Row i of an upper triangle, such that entry j of it (j >= i) is at RowBegin + j.
int64_t RowBegin(int64_t i, int64_t n) { return i * (2 * n - i - 1) / 2; }

// The triangle whose entry (a, b) is entry (positions[a], positions[b]) of a triangle of n rows.
at::Tensor GatherPairs(const at::Tensor& triangle, int64_t n, const at::Tensor& positions) {
  const int64_t m = positions.numel();
  at::Tensor result = at::empty({m * (m + 1) / 2}, triangle.options());
  at::Tensor places = at::empty({m}, at::kLong);
  const int64_t* of = positions.const_data_ptr<int64_t>();
  int64_t* place = places.mutable_data_ptr<int64_t>();
  for (int64_t a = 0, begin = 0; a < m; begin += m - a, ++a) {
    for (int64_t b = a; b < m; ++b) {
      place[b - a] = RowBegin(std::min(of[a], of[b]), n) + std::max(of[a], of[b]);
    }
    at::Tensor row = result.narrow(0, begin, m - a);
    at::index_select_out(row, triangle, 0, places.narrow(0, 0, m - a));
  }
  return result;
}

}  // namespace

ChosenFeatures::ChosenFeatures(const at::Tensor& asked, int64_t d_sae, at::Device device)
    : count_(d_sae), asked_(d_sae) {
  if (!asked.defined()) return;
  const at::Tensor rows = asked.contiguous();
  const auto [ids, positions, counts] =
      at::_unique2(rows, /*sorted=*/true, /*return_inverse=*/true, /*return_counts=*/false);
  count_ = ids.numel();
  asked_ = rows.numel();
  at::Tensor numbers = at::zeros({d_sae}, at::kInt);
  numbers.index_copy_(0, ids, at::arange(count_, at::kInt));
  ids_ = ids.to(device);
  numbers_ = numbers.to(device);
  if (at::equal(ids, rows)) return;
  positions_ = positions.contiguous();
  first_ = at::empty({count_}, at::kLong);
  const int64_t* position = positions_.const_data_ptr<int64_t>();
  int64_t* first = first_.mutable_data_ptr<int64_t>();
  for (int64_t row = asked_ - 1; row >= 0; --row) first[position[row]] = row;
}

SparseActivations ChosenFeatures::Restrict(const SparseActivations& z) const {
  if (!ids_.defined()) return z;
  SparseActivations kept = KeepFeatures(z, ids_);
  kept.feature_ids = numbers_.index_select(0, kept.feature_ids);
  kept.d_sae = count_;
  return kept;
}

at::Tensor ChosenFeatures::ToAsked(const at::Tensor& counted) const {
  return as_counted() ? counted : counted.index_select(0, positions_);
}
at::Tensor ChosenFeatures::ToCounted(const at::Tensor& asked) const {
  return as_counted() ? asked : asked.index_select(0, first_);
}
at::Tensor ChosenFeatures::PairsToAsked(const at::Tensor& counted) const {
  return as_counted() ? counted : GatherPairs(counted, count_, positions_);
}
at::Tensor ChosenFeatures::PairsToCounted(const at::Tensor& asked) const {
  return as_counted() ? asked : GatherPairs(asked.contiguous(), asked_, first_);
}

}  // namespace superpose
