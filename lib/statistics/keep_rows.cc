#include <ATen/ATen.h>

#include <optional>

#include "lib/statistics/layer_statistics.h"

namespace superpose {
namespace {

SparseActivations KeepRowsOf(const SparseActivations& z, const at::Tensor& keep) {
  const at::Tensor counts = z.row_splits.diff();
  const at::Tensor entries = at::repeat_interleave(keep, counts, 0, std::optional<int64_t>(z.entries()));
  at::Tensor splits = at::zeros({1}, z.row_splits.options());
  splits = at::cat({splits, counts.masked_select(keep).cumsum(0)});
  return {splits, z.feature_ids.masked_select(entries), z.values.masked_select(entries), z.d_sae};
}

}  // namespace

StatisticsRows KeepRows(const StatisticsRows& rows, const at::Tensor& keep) {
  const at::Tensor kept = keep.nonzero().squeeze(1);
  const auto select = [&](const at::Tensor& tensor) {
    return tensor.defined() ? tensor.index_select(0, kept) : at::Tensor();
  };
  return {KeepRowsOf(rows.z, keep), select(rows.pre), select(rows.mid), select(rows.out)};
}

}  // namespace superpose
