#include "lib/statistics/snapshot_data.h"

#include <ATen/ATen.h>

#include <utility>
#include <vector>

#include "absl/strings/str_join.h"
#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "lib/base/torch_guard.h"
#include "lib/statistics/packed_triangle.h"
#include "lib/statistics/snapshot_layout.h"

namespace superpose {
namespace {

// Features and pairs that a snapshot may have rows of: their triangle's size stays far below 2^63.
constexpr int64_t kMostRows = int64_t{1} << 30;
// The largest count that a double holds exactly, with all below it.
constexpr int64_t kMostTokens = int64_t{1} << 53;

// The groups' tensors, whatever is chosen: sizes are those of the ids, where they are defined.
std::vector<SnapshotTensor> AllTensors(const StatisticsShape& shape, const at::Tensor& feature_ids,
                                       const at::Tensor& pair_ids) {
  StatisticsOptions options;
  options.feature_ids = feature_ids;
  options.pair_ids = pair_ids;
  return SnapshotTensors(shape, options, /*has_midcoder=*/true);
}

std::vector<SnapshotTensor> NamesOfTensors() {
  return AllTensors({}, at::empty({0}, at::kLong), at::empty({0}, at::kLong));
}

// Tensors without which a group is there all the same: the reference's files lack the first two, and a snapshot without
// a midcoder the next; ids stand only where some were chosen.
bool IsOptional(const std::string& name) {
  for (const char* optional : {"act_max", "act_log2_histogram", "mid_sum", "gate_mid_sum", "feat_ids", "pair_ids"}) {
    if (name == optional) return true;
  }
  return false;
}

// int64, of counts kept in any dtype: NaN is none, and no value is so large that its conversion is not defined.
at::Tensor ToCounts(const at::Tensor& counts) {
  if (counts.scalar_type() == at::kLong) return counts;
  return counts.to(at::kDouble).nan_to_num(0.0).clamp(0.0, static_cast<double>(kMostTokens)).round().to(at::kLong);
}

absl::Status CheckTensor(const SnapshotTensor& wanted, const at::Tensor& tensor) {
  if (tensor.sizes() != at::IntArrayRef(wanted.shape)) {
    return InvalidArgument(reason::kTensorShapeMismatch, wanted.name, " has shape [",
                           absl::StrJoin(tensor.sizes(), ", "), "], but the snapshot's other tensors ask for [",
                           absl::StrJoin(wanted.shape, ", "), "]");
  }
  const at::ScalarType dtype = tensor.scalar_type();
  if (dtype == wanted.dtype || dtype == at::kFloat || dtype == at::kDouble) return absl::OkStatus();
  return InvalidArgument(reason::kTensorShapeMismatch, wanted.name, " holds ", at::toString(dtype), " and not ",
                         at::toString(wanted.dtype), " or float32");
}

absl::Status CheckForm(const std::string& name, const at::Tensor& tensor) {
  if (tensor.defined() && tensor.is_cpu() && tensor.layout() == at::kStrided) return absl::OkStatus();
  return InvalidArgument(reason::kTensorShapeMismatch, name, " is no dense tensor on the CPU");
}

// The ids of a tensor, or an undefined tensor where it is not there.
absl::StatusOr<at::Tensor> ReadIds(const TensorMap& tensors, const std::string& name, int64_t d_sae) {
  const auto found = tensors.find(name);
  if (found == tensors.end()) return at::Tensor();
  const at::Tensor& ids = found->second;
  if (ids.dim() != 1 || !at::isIntegralType(ids.scalar_type(), /*includeBool=*/false)) {
    return InvalidArgument(reason::kTensorShapeMismatch, name, " must be one row of integers");
  }
  if (ids.numel() > kMostRows) {
    return InvalidArgument(reason::kTensorShapeMismatch, name, " holds ", ids.numel(), " ids, more than ", kMostRows);
  }
  at::Tensor result = ids.to(at::kLong).contiguous();
  SUPERPOSE_RETURN_IF_ERROR(CheckFeatureIds(result, d_sae, name));
  return result;
}

absl::Status CheckCounts(const TensorMap& tensors) {
  for (const char* name : {"counts", "act_counts"}) {
    const auto found = tensors.find(name);
    if (found == tensors.end()) {
      return FailedPrecondition(reason::kSnapshotTensorMissing, "the snapshot lacks ", name,
                                ", without which nothing else has a meaning");
    }
    const at::Tensor& counts = found->second;
    if (counts.ge(0).logical_and(counts.le(kMostTokens)).all().item<bool>()) continue;
    return InvalidArgument(reason::kFileCorrupt, name, " holds what is no count of tokens");
  }
  return absl::OkStatus();
}

std::unordered_map<int64_t, int64_t> PlacesOf(const at::Tensor& ids) {
  std::unordered_map<int64_t, int64_t> places;
  const int64_t* values = ids.const_data_ptr<int64_t>();
  for (int64_t i = 0; i < ids.numel(); ++i) places.emplace(values[i], i);
  return places;
}

absl::StatusOr<at::Tensor> LookUp(const std::unordered_map<int64_t, int64_t>& places, const at::Tensor& ids,
                                  const char* covers) {
  at::Tensor result = at::empty_like(ids);
  const int64_t* from = ids.const_data_ptr<int64_t>();
  int64_t* to = result.mutable_data_ptr<int64_t>();
  for (int64_t i = 0; i < ids.numel(); ++i) {
    const auto found = places.find(from[i]);
    if (found == places.end()) {
      return FailedPrecondition(reason::kSnapshotTensorMissing, "the snapshot ", covers, " ", places.size(),
                                " features, and feature ", from[i], " is not among them: collect it too");
    }
    to[i] = found->second;
  }
  return result;
}

}  // namespace

absl::Status CheckFeatureIds(const at::Tensor& ids, int64_t d_sae, absl::string_view what) {
  const int64_t* values = ids.const_data_ptr<int64_t>();
  for (int64_t i = 0; i < ids.numel(); ++i) {
    if (values[i] >= 0 && values[i] < d_sae) continue;
    return InvalidArgument(reason::kFeatureOutOfRange, what, " must be in 0 .. ", d_sae - 1, ", and ", values[i],
                           " is not");
  }
  return absl::OkStatus();
}

absl::StatusOr<SnapshotData> SnapshotData::Create(TensorMap tensors, const StatisticsShape& shape) {
  return CatchTorch([&]() -> absl::StatusOr<SnapshotData> {
    SnapshotData data;
    data.shape_ = shape;
    data.tensors_ = std::move(tensors);
    for (const auto& [name, tensor] : data.tensors_) SUPERPOSE_RETURN_IF_ERROR(CheckForm(name, tensor));
    SUPERPOSE_RETURN_IF_ERROR(data.TakeIds());
    SUPERPOSE_RETURN_IF_ERROR(data.TakeTensors());
    SUPERPOSE_RETURN_IF_ERROR(CheckCounts(data.tensors_));
    data.tokens_ = ToCounts(data.tensors_.at("counts")).item<int64_t>();
    if (data.tokens_ == 0) return InvalidArgument(reason::kEmptyInput, "the snapshot counted no tokens");
    return data;
  });
}

absl::Status SnapshotData::TakeIds() {
  if (shape_.d_sae < 1 || shape_.d_sae > kMostRows) {
    return InvalidArgument(reason::kTensorShapeMismatch, "a transcoder has 1 to ", kMostRows, " features, not ",
                           shape_.d_sae);
  }
  SUPERPOSE_ASSIGN_OR_RETURN(feature_ids_, ReadIds(tensors_, "feat_ids", shape_.d_sae));
  covers_all_ = !feature_ids_.defined();
  if (covers_all_) {
    feature_ids_ = at::arange(shape_.d_sae, at::kLong);
  } else {
    tensors_["feat_ids"] = feature_ids_;
    row_of_feature_ = PlacesOf(feature_ids_);
  }
  SUPERPOSE_ASSIGN_OR_RETURN(pair_ids_, ReadIds(tensors_, "pair_ids", shape_.d_sae));
  if (!pair_ids_.defined()) {
    pair_ids_ = feature_ids_;
    return absl::OkStatus();
  }
  tensors_["pair_ids"] = pair_ids_;
  row_of_pair_ = PlacesOf(pair_ids_);
  return absl::OkStatus();
}

absl::Status SnapshotData::TakeTensors() {
  std::vector<SnapshotTensor> wanted = AllTensors(shape_, feature_ids_, pair_ids_);
  const int64_t n = pair_ids_.numel();
  wanted.push_back({"act_cov_counts", at::kLong, {n, n}, StatisticsGroup::kPairs});
  wanted.push_back({"act_cov_sum", at::kDouble, {n, n}, StatisticsGroup::kPairs});
  for (const SnapshotTensor& tensor : wanted) {
    const auto found = tensors_.find(tensor.name);
    if (found == tensors_.end()) continue;
    SUPERPOSE_RETURN_IF_ERROR(CheckTensor(tensor, found->second));
    found->second = found->second.contiguous();
  }
  return absl::OkStatus();
}

int64_t SnapshotData::rows() const { return feature_ids_.numel(); }

bool SnapshotData::HasSquares() const {
  return tensors_.count("act_cov_counts") > 0 && tensors_.count("act_cov_sum") > 0;
}

bool SnapshotData::Has(StatisticsGroup group) const {
  if (group == StatisticsGroup::kPairs && HasSquares()) return true;
  for (const SnapshotTensor& tensor : NamesOfTensors()) {
    if (tensor.group == group && !IsOptional(tensor.name) && tensors_.count(tensor.name) == 0) return false;
  }
  return true;
}

absl::Status SnapshotData::Require(StatisticsGroup group) const {
  if (Has(group)) return absl::OkStatus();
  return FailedPrecondition(reason::kSnapshotTensorMissing, "the snapshot was taken without the statistics of ",
                            NameOf(group), ": collect that group too");
}

absl::StatusOr<at::Tensor> SnapshotData::Tensor(const std::string& name) const {
  const auto found = tensors_.find(name);
  if (found != tensors_.end()) return found->second;
  for (const SnapshotTensor& tensor : NamesOfTensors()) {
    if (tensor.name != name) continue;
    return FailedPrecondition(reason::kSnapshotTensorMissing, "the snapshot lacks ", name,
                              ", which is one of the group ", NameOf(tensor.group), ": collect that group");
  }
  return FailedPrecondition(reason::kSnapshotTensorMissing, "the snapshot lacks ", name);
}

absl::StatusOr<at::Tensor> SnapshotData::RowsOf(const at::Tensor& feature_ids) const {
  return CatchTorch([&]() -> absl::StatusOr<at::Tensor> {
    at::Tensor ids = feature_ids.to(at::kCPU, at::kLong).contiguous();
    SUPERPOSE_RETURN_IF_ERROR(CheckFeatureIds(ids, shape_.d_sae, "features"));
    if (covers_all_) return ids;
    return LookUp(row_of_feature_, ids, "covers");
  });
}

at::Tensor SnapshotData::ActCounts() const { return ToCounts(tensors_.at("act_counts")); }

absl::StatusOr<at::Tensor> SnapshotData::PairRowsOf(const at::Tensor& feature_ids) const {
  if (tensors_.count("pair_ids") == 0) return RowsOf(feature_ids);
  const at::Tensor ids = feature_ids.to(at::kCPU, at::kLong).contiguous();
  SUPERPOSE_RETURN_IF_ERROR(CheckFeatureIds(ids, shape_.d_sae, "features"));
  return LookUp(row_of_pair_, ids, "holds pairs of");
}

absl::StatusOr<PairRows> SnapshotData::Pairs(const at::Tensor& feature_ids) const {
  return CatchTorch([&]() -> absl::StatusOr<PairRows> {
    SUPERPOSE_RETURN_IF_ERROR(Require(StatisticsGroup::kPairs));
    SUPERPOSE_ASSIGN_OR_RETURN(const at::Tensor rows, PairRowsOf(feature_ids));
    PairRows pairs;
    if (HasSquares()) {
      pairs.counts = tensors_.at("act_cov_counts").index_select(0, rows);
      pairs.sums = tensors_.at("act_cov_sum").index_select(0, rows);
    } else {
      const int64_t n = pair_ids_.numel();
      pairs.counts = TriangleRows(tensors_.at("act_cov_counts_upper"), n, rows);
      pairs.sums = TriangleRows(tensors_.at("act_cov_sum_upper"), n, rows);
    }
    pairs.counts = ToCounts(pairs.counts);
    pairs.sums = pairs.sums.to(at::kDouble);
    return pairs;
  });
}

}  // namespace superpose
