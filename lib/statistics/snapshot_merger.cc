#include "lib/statistics/snapshot_merger.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <utility>

#include "absl/strings/str_join.h"
#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "lib/base/torch_guard.h"
#include "lib/statistics/snapshot_layout.h"

namespace superpose {
namespace {

constexpr int64_t kUnitElements = int64_t{1} << 22;

// The name of a tensor that only one of the two has, "" when there is none.
std::string OnlyInOne(const TensorMap& first, const TensorMap& second) {
  for (const auto& [name, tensor] : first) {
    if (second.count(name) == 0) return name;
  }
  for (const auto& [name, tensor] : second) {
    if (first.count(name) == 0) return name;
  }
  return "";
}

absl::Status CheckAlike(const TensorMap& first, const TensorMap& second) {
  const std::string alone = OnlyInOne(first, second);
  if (!alone.empty()) {
    return FailedPrecondition(reason::kSnapshotMismatch, "only one of the snapshots holds ", alone);
  }
  for (const auto& [name, tensor] : first) {
    const at::Tensor& other = second.at(name);
    if (tensor.sizes() == other.sizes()) continue;
    return FailedPrecondition(reason::kSnapshotMismatch, name, " has shape [", absl::StrJoin(tensor.sizes(), ", "),
                              "] in one of the snapshots and [", absl::StrJoin(other.sizes(), ", "), "] in the other");
  }
  return absl::OkStatus();
}

bool BitwiseEqual(const at::Tensor& first, const at::Tensor& second) {
  if (first.scalar_type() != second.scalar_type()) return false;
  return first.nbytes() == 0 || std::memcmp(first.const_data_ptr(), second.const_data_ptr(), first.nbytes()) == 0;
}

}  // namespace

absl::StatusOr<SnapshotMerger> SnapshotMerger::Create(std::vector<TensorMap> snapshots) {
  if (snapshots.size() < 2) return InvalidArgument(reason::kConfigInvalid, "it takes two snapshots or more to merge");
  for (const TensorMap& snapshot : snapshots) {
    SUPERPOSE_RETURN_IF_ERROR(CheckAlike(snapshots.front(), snapshot));
  }
  SnapshotMerger merger;
  for (const auto& [name, tensor] : snapshots.front()) {
    merger.names_.push_back(name);
    merger.bytes_total_ += static_cast<int64_t>(tensor.nbytes());
  }
  merger.snapshots_ = std::move(snapshots);
  return merger;
}

SnapshotMerger::Rule SnapshotMerger::RuleFor(const std::string& name) {
  static const auto* const rules = [] {
    auto* made = new std::map<std::string, Rule>();
    StatisticsOptions options;
    options.feature_ids = options.pair_ids = at::empty({0}, at::kLong);
    for (const SnapshotTensor& tensor : SnapshotTensors({}, options, /*has_midcoder=*/true)) {
      (*made)[tensor.name] = tensor.dtype == at::kLong ? Rule::kAddCounts : Rule::kAddSums;
    }
    (*made)["act_cov_counts"] = Rule::kAddCounts;
    (*made)["act_cov_sum"] = Rule::kAddSums;
    (*made)["act_max"] = Rule::kLargest;
    (*made)["feat_ids"] = (*made)["pair_ids"] = Rule::kEqual;
    return made;
  }();
  // Names that the table does not have are parameters, or none of ours.
  const auto found = rules->find(name);
  return found == rules->end() ? Rule::kEqual : found->second;
}

void SnapshotMerger::StartTensor() {
  const std::string& name = names_[name_];
  const at::Tensor& first = snapshots_.front().at(name);
  switch (RuleFor(name)) {
    case Rule::kAddCounts:
      merged_[name] = at::empty(first.sizes(), at::kLong);
      return;
    case Rule::kAddSums:
      merged_[name] = at::empty(first.sizes(), at::kDouble);
      return;
    case Rule::kLargest:
      merged_[name] = at::empty(first.sizes(), first.scalar_type());
      return;
    case Rule::kEqual:
      merged_[name] = first;
  }
}

absl::Status SnapshotMerger::RunUnit() {
  if (element_ == 0) StartTensor();
  const int64_t size = snapshots_.front().at(names_[name_]).numel();
  const int64_t length = std::min(kUnitElements, size - element_);
  SUPERPOSE_RETURN_IF_ERROR(MergePart(element_, length));
  element_ += length;
  if (element_ < size) return absl::OkStatus();
  bytes_done_ += static_cast<int64_t>(snapshots_.front().at(names_[name_]).nbytes());
  element_ = 0;
  ++name_;
  return absl::OkStatus();
}

absl::Status SnapshotMerger::MergePart(int64_t begin, int64_t length) {
  const std::string& name = names_[name_];
  const auto part_of = [&](const TensorMap& snapshot) {
    return snapshot.at(name).contiguous().view({-1}).narrow(0, begin, length);
  };
  const Rule rule = RuleFor(name);
  if (rule == Rule::kEqual) {
    for (const TensorMap& snapshot : snapshots_) {
      if (BitwiseEqual(part_of(snapshots_.front()), part_of(snapshot))) continue;
      return FailedPrecondition(reason::kSnapshotMismatch, "the snapshots' ", name, " differ");
    }
    return absl::OkStatus();
  }
  at::Tensor part = merged_[name].view({-1}).narrow(0, begin, length);
  part.copy_(part_of(snapshots_.front()));
  for (size_t i = 1; i < snapshots_.size(); ++i) {
    const at::Tensor other = part_of(snapshots_[i]).to(part.scalar_type());
    if (rule == Rule::kLargest) {
      part.copy_(at::maximum(part, other));
    } else {
      part.add_(other);
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<TensorMap> MergeSnapshots(const TensorMap& first, const TensorMap& second) {
  SUPERPOSE_ASSIGN_OR_RETURN(SnapshotMerger merger, SnapshotMerger::Create({first, second}));
  return CatchTorch([&]() -> absl::StatusOr<TensorMap> {
    while (!merger.done()) SUPERPOSE_RETURN_IF_ERROR(merger.RunUnit());
    return merger.merged();
  });
}

}  // namespace superpose
