// One snapshot of several over disjoint tokens.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "lib/tensor_io/safetensors.h"

namespace superpose {

// Counts and sums add up (int64 and float64, whatever they were), maxima are the largest; ids and parameters are those
// of the first and must be equal in all. Works in units of some 50 ms.
class SnapshotMerger {
 public:
  // Two or more, on the CPU. FAILED_PRECONDITION / SNAPSHOT_MISMATCH names a tensor that not all hold, or that has
  // another shape.
  static absl::StatusOr<SnapshotMerger> Create(std::vector<TensorMap> snapshots);

  bool done() const { return name_ == names_.size(); }
  int64_t bytes_done() const { return bytes_done_; }
  int64_t bytes_total() const { return bytes_total_; }
  // The next unit, only when not done. SNAPSHOT_MISMATCH names ids or parameters that differ. May throw what LibTorch
  // throws.
  absl::Status RunUnit();
  // The result, when done.
  const TensorMap& merged() const { return merged_; }

 private:
  enum class Rule { kAddCounts, kAddSums, kLargest, kEqual };

  SnapshotMerger() = default;
  static Rule RuleFor(const std::string& name);
  void StartTensor();
  absl::Status MergePart(int64_t begin, int64_t length);

  std::vector<TensorMap> snapshots_;
  std::vector<std::string> names_;
  size_t name_ = 0;      // of the tensor under way
  int64_t element_ = 0;  // of it, the next
  int64_t bytes_done_ = 0;
  int64_t bytes_total_ = 0;
  TensorMap merged_;
};

// The same at once.
absl::StatusOr<TensorMap> MergeSnapshots(const TensorMap& first, const TensorMap& second);

}  // namespace superpose
