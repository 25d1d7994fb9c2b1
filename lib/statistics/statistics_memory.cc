#include <ATen/ATen.h>

#include <algorithm>
#include <tuple>

#include "lib/base/memory_estimate.h"
#include "lib/statistics/layer_statistics.h"
#include "lib/statistics/row_chunks.h"
#include "lib/statistics/snapshot_layout.h"

namespace superpose {
namespace {

constexpr int64_t kEntryBytes = 8;  // of an activation: int32 id or row, float32 value
constexpr int64_t kSplitBytes = 8;
// Most that an activation takes while the sums by feature are made: its value in float64, its feature, its bin, and
// a 1.
constexpr int64_t kFeatureWorkBytes = 32;
// While the chosen features are picked out: its row and its feature as int64, and whether it is kept.
constexpr int64_t kPickingBytes = 17;

int64_t Distinct(const at::Tensor& ids) { return std::get<0>(at::_unique2(ids)).numel(); }

// The options as they are counted: each feature once.
StatisticsOptions AsCounted(StatisticsOptions options) {
  if (options.feature_ids.defined()) options.feature_ids = at::zeros({Distinct(options.feature_ids)}, at::kLong);
  return options;
}

// Of `entries` activations of `features` features: by feature, and by token where they were picked out.
int64_t ActivationsBytes(int64_t entries, int64_t features, int64_t rows, bool picked) {
  const int64_t by_feature = kEntryBytes * entries + kSplitBytes * (features + 1);
  return by_feature + (picked ? kEntryBytes * entries + kSplitBytes * (rows + 1) : 0);
}

}  // namespace

StatisticsBytes EstimateStatistics(const StatisticsShape& shape, const StatisticsOptions& options, bool has_midcoder,
                                   int64_t rows, double active_features) {
  const auto wants = [&](StatisticsGroup group) { return options.groups.count(group) > 0; };
  StatisticsBytes bytes;
  const StatisticsOptions counted = AsCounted(options);
  for (const SnapshotTensor& tensor : SnapshotTensors(shape, counted, has_midcoder)) {
    if (tensor.name == "feat_ids" || tensor.name == "pair_ids") continue;
    int64_t size = static_cast<int64_t>(c10::elementSize(tensor.dtype));
    for (const int64_t length : tensor.shape) size *= length;
    bytes.kept += size;
  }
  const int64_t features = counted.feature_ids.defined() ? counted.feature_ids.numel() : shape.d_sae;
  const double all_entries = active_features * static_cast<double>(rows);
  const auto entries_of = [&](int64_t chosen) {
    return static_cast<int64_t>(all_entries * static_cast<double>(chosen) / static_cast<double>(shape.d_sae));
  };
  const int64_t entries = entries_of(features);
  int64_t batch = ActivationsBytes(entries, features, rows, counted.feature_ids.defined());
  if (wants(StatisticsGroup::kPairs) && options.pair_ids.defined()) {
    const int64_t pair_features = options.pair_ids.numel();
    batch += ActivationsBytes(entries_of(pair_features), pair_features, rows, /*picked=*/true);
  }
  if (wants(StatisticsGroup::kGates) || wants(StatisticsGroup::kUnits)) batch += rows * shape.d_mlp;
  int64_t work = kFeatureWorkBytes * entries;
  if (counted.feature_ids.defined()) work = std::max(work, static_cast<int64_t>(kPickingBytes * all_entries));
  if (wants(StatisticsGroup::kUnits)) {
    work = std::max(work, kDoubleBytes * std::min(rows, kRowsPerChunk) * std::max(shape.d_mlp, shape.d_model));
  }
  bytes.peak = bytes.kept + batch + work;
  return bytes;
}

}  // namespace superpose
