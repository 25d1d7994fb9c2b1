// The tensors of one snapshot, mapped or in memory, behind one way to ask for them: whether it covers all features or
// some, holds its pairs as a triangle or as the reference's squares, int64 counts or the reference's float32 ones.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <unordered_map>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "lib/statistics/statistics_options.h"
#include "lib/tensor_io/safetensors.h"

namespace superpose {

// Pairs of some rows i with all features that the pairs cover, j.
struct PairRows {
  at::Tensor counts;  // int64 [rows, n]
  at::Tensor sums;    // float64 [rows, n]
};

// FEATURE_OUT_OF_RANGE names the first of the ids (int64, contiguous, on the CPU) that is not in 0 .. d_sae - 1; `what`
// says what they are.
absl::Status CheckFeatureIds(const at::Tensor& ids, int64_t d_sae, absl::string_view what);

// Immutable. Tensors are on the CPU.
class SnapshotData {
 public:
  // Checks shapes and dtypes against each other; parameters and what snapshot_layout.h does not name are left alone.
  // SNAPSHOT_TENSOR_MISSING (counts or act_counts), TENSOR_SHAPE_MISMATCH, FEATURE_OUT_OF_RANGE, FILE_CORRUPT (counts
  // that are none), EMPTY_INPUT when counts is 0.
  static absl::StatusOr<SnapshotData> Create(TensorMap tensors, const StatisticsShape& shape);

  const StatisticsShape& shape() const { return shape_; }
  int64_t tokens() const { return tokens_; }
  // Rows of the tensors by feature.
  int64_t rows() const;
  // int64 [rows()]: the feature of each row.
  const at::Tensor& feature_ids() const { return feature_ids_; }
  bool covers_all() const { return covers_all_; }

  // Whether all tensors of the group are there. Those that not every snapshot with the group has (act_max and
  // act_log2_histogram, which the reference's files lack; mid_sum and gate_mid_sum of a midcoder) are left to Tensor().
  bool Has(StatisticsGroup group) const;
  // SNAPSHOT_TENSOR_MISSING says which group to collect.
  absl::Status Require(StatisticsGroup group) const;
  // As it is kept: float32 where the reference has it. Ids are int64. SNAPSHOT_TENSOR_MISSING.
  absl::StatusOr<at::Tensor> Tensor(const std::string& name) const;

  // int64 [k]: the row of each feature (of several the first). FEATURE_OUT_OF_RANGE for an id not below d_sae,
  // SNAPSHOT_TENSOR_MISSING for a feature that the snapshot does not cover.
  absl::StatusOr<at::Tensor> RowsOf(const at::Tensor& feature_ids) const;
  // int64 [rows()], of whatever dtype they are kept.
  at::Tensor ActCounts() const;

  // int64 [n]: the features that pairs cover, where there are any.
  const at::Tensor& pair_ids() const { return pair_ids_; }
  // int64 [k]: the place of each feature among pair_ids() (of several the first). Errors as of RowsOf.
  absl::StatusOr<at::Tensor> PairRowsOf(const at::Tensor& feature_ids) const;
  // Pairs of the features (int64 [k]) with all of pair_ids(). SNAPSHOT_TENSOR_MISSING for features or whole groups that
  // are not covered, FEATURE_OUT_OF_RANGE.
  absl::StatusOr<PairRows> Pairs(const at::Tensor& feature_ids) const;

 private:
  SnapshotData() = default;
  absl::Status TakeIds();
  absl::Status TakeTensors();
  bool HasSquares() const;

  StatisticsShape shape_;
  TensorMap tensors_;
  int64_t tokens_ = 0;
  bool covers_all_ = true;
  at::Tensor feature_ids_;
  at::Tensor pair_ids_;
  std::unordered_map<int64_t, int64_t> row_of_feature_;  // only where it covers some
  std::unordered_map<int64_t, int64_t> row_of_pair_;     // only where pairs cover others than the rows
};

}  // namespace superpose
