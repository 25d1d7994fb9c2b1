#include "lib/transcoder/sparse_activations.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <numeric>
#include <optional>
#include <utility>

namespace superpose {
namespace {

at::Tensor RowCounts(const SparseActivations& z) {
  return z.row_splits.slice(0, 1) - z.row_splits.slice(0, 0, z.rows());
}

// The row of every entry, int64 [entries].
at::Tensor RowOfEntry(const SparseActivations& z) {
  // A plain number would choose the overload that repeats every count that many times.
  return at::repeat_interleave(RowCounts(z), std::optional<int64_t>(z.entries()));
}

// Copies a part's entries to where row by row the next ones belong; its features come after the z.d_sae before them.
void PlacePart(const SparseActivations& part, const SparseActivations& z, std::vector<int64_t>& next) {
  const auto* splits = part.row_splits.const_data_ptr<int64_t>();
  const auto* part_ids = part.feature_ids.const_data_ptr<int32_t>();
  const auto* part_values = part.values.const_data_ptr<float>();
  auto* ids = z.feature_ids.mutable_data_ptr<int32_t>();
  auto* values = z.values.mutable_data_ptr<float>();
  const auto before = static_cast<int32_t>(z.d_sae);
  at::parallel_for(0, part.rows(), 1, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      int64_t& place = next[row];
      for (int64_t entry = splits[row]; entry < splits[row + 1]; ++entry, ++place) {
        ids[place] = before + part_ids[entry];
        values[place] = part_values[entry];
      }
    }
  });
}

// The entries where `keep` (bool [entries]) is set.
SparseActivations Filter(const SparseActivations& z, const at::Tensor& keep) {
  at::Tensor kept_rows = RowOfEntry(z).masked_select(keep);
  at::Tensor row_splits = at::zeros_like(z.row_splits);
  row_splits.slice(0, 1).copy_(at::bincount(kept_rows, {}, z.rows()).cumsum(0));
  return {row_splits, z.feature_ids.masked_select(keep), z.values.masked_select(keep), z.d_sae};
}

}  // namespace

SparseActivations KeepFeatures(const SparseActivations& activations, const at::Tensor& feature_ids) {
  at::Tensor wanted = at::zeros({activations.d_sae}, activations.values.options().dtype(at::kBool));
  wanted.index_fill_(0, feature_ids.to(wanted.device(), at::kLong), true);
  return Filter(activations, wanted.index_select(0, activations.feature_ids.to(at::kLong)));
}

SparseActivations KeepTopK(const SparseActivations& activations, int64_t k) {
  SparseActivations z{activations.row_splits.cpu(), activations.feature_ids.cpu(), activations.values.cpu(),
                      activations.d_sae};
  at::Tensor keep = at::zeros({z.entries()}, at::kBool);
  const int64_t* splits = z.row_splits.const_data_ptr<int64_t>();
  const float* values = z.values.const_data_ptr<float>();
  bool* kept = keep.data_ptr<bool>();
  std::vector<int64_t> order;
  for (int64_t row = 0; row < z.rows(); ++row) {
    order.resize(splits[row + 1] - splits[row]);
    std::iota(order.begin(), order.end(), splits[row]);
    auto middle = order.begin() + std::clamp<int64_t>(k, 0, static_cast<int64_t>(order.size()));
    // Entries ascend by feature id, so the earlier entry wins a tie.
    std::partial_sort(order.begin(), middle, order.end(),
                      [&](int64_t a, int64_t b) { return values[a] != values[b] ? values[a] > values[b] : a < b; });
    for (auto entry = order.begin(); entry != middle; ++entry) kept[*entry] = true;
  }
  return Filter(activations, keep.to(activations.values.device()));
}

RowSlices::RowSlices(SparseActivations activations)
    : activations_(std::move(activations)), host_splits_(activations_.row_splits.cpu()) {}

SparseActivations RowSlices::Slice(int64_t begin, int64_t end) const {
  const int64_t* splits = host_splits_.const_data_ptr<int64_t>();
  const int64_t first = splits[begin], last = splits[end];
  return {activations_.row_splits.slice(0, begin, end + 1) - first, activations_.feature_ids.slice(0, first, last),
          activations_.values.slice(0, first, last), activations_.d_sae};
}

SparseActivations SliceRows(const SparseActivations& activations, int64_t begin, int64_t end) {
  return RowSlices(activations).Slice(begin, end);
}

SparseActivations ConcatenateRows(const std::vector<SparseActivations>& parts) {
  if (parts.size() == 1) return parts.front();
  std::vector<at::Tensor> splits, ids, values;
  int64_t entries = 0;
  for (const SparseActivations& part : parts) {
    splits.push_back((splits.empty() ? part.row_splits : part.row_splits.slice(0, 1)) + entries);
    ids.push_back(part.feature_ids);
    values.push_back(part.values);
    entries += part.entries();
  }
  return {at::cat(splits), at::cat(ids), at::cat(values), parts.front().d_sae};
}

SparseActivations ConcatenateColumns(const std::vector<SparseActivations>& parts) {
  if (parts.size() == 1) return parts.front();
  const int64_t rows = parts.front().rows();
  SparseActivations z{at::zeros({rows + 1}, at::kLong), {}, {}, 0};
  int64_t entries = 0;
  for (const SparseActivations& part : parts) {
    z.row_splits.add_(part.row_splits);
    entries += part.entries();
  }
  z.feature_ids = at::empty({entries}, at::kInt);
  z.values = at::empty({entries}, at::kFloat);
  const auto* splits = z.row_splits.const_data_ptr<int64_t>();
  std::vector<int64_t> next(splits, splits + rows);
  for (const SparseActivations& part : parts) {
    PlacePart(part, z, next);
    z.d_sae += part.d_sae;
  }
  return z;
}

}  // namespace superpose
