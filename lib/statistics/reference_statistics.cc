#include "lib/statistics/reference_statistics.h"

#include <ATen/ATen.h>

#include <set>
#include <string>

#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "lib/base/torch_guard.h"
#include "lib/statistics/packed_triangle.h"

namespace superpose {
namespace {

constexpr int64_t kMostPairFeatures = 23170;  // 2 x 4 bytes x n^2 are 4 GiB

const std::set<std::string>& ReferenceNames() {
  static const auto* const names =
      new std::set<std::string>({"counts", "act_counts", "act_sum", "act_sq_sum", "act_cov_counts", "act_cov_sum",
                                 "act_gate_sum", "act_sq_gate_sum", "gate_act_counts", "gate_counts", "mid_sum",
                                 "gate_mid_sum", "pre_relu_sum", "pre_relu_sum_no_act", "pre_relu_cube_sum",
                                 "pre_relu_cov_sum", "mlp_out_sum", "mlp_out_cov_sum", "mlp_out_sum_no_act"});
  return *names;
}

absl::Status AddSquare(const TensorMap& snapshot, const std::string& name, int64_t features, TensorMap* result) {
  const auto found = snapshot.find(name + "_upper");
  if (found == snapshot.end()) return absl::OkStatus();
  if (snapshot.count("pair_ids") > 0) {
    return FailedPrecondition(
        reason::kFileUnsupported,
        "the reference's files hold pairs of the same features as the rest, and this snapshot has "
        "them of others: collect without pair_features");
  }
  if (features > kMostPairFeatures) {
    return FailedPrecondition(reason::kFileUnsupported, "the reference's files hold pairs as squares, and those of ",
                              features, " features would take over 4 GiB: collect of fewer features, or without pairs");
  }
  (*result)[name] = TriangleRows(found->second, features, at::arange(features, at::kLong)).to(at::kFloat);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<TensorMap> ReferenceStatistics(const TensorMap& snapshot) {
  return CatchTorch([&]() -> absl::StatusOr<TensorMap> {
    TensorMap result;
    for (const auto& [name, tensor] : snapshot) {
      if (ReferenceNames().count(name) > 0) result[name] = tensor.to(at::kFloat);
    }
    const auto counts = snapshot.find("act_counts");
    if (counts == snapshot.end()) return result;
    const int64_t features = counts->second.numel();
    SUPERPOSE_RETURN_IF_ERROR(AddSquare(snapshot, "act_cov_counts", features, &result));
    SUPERPOSE_RETURN_IF_ERROR(AddSquare(snapshot, "act_cov_sum", features, &result));
    const auto ids = snapshot.find("feat_ids");
    result["feat_ids"] = ids == snapshot.end() ? at::arange(features, at::kLong) : ids->second;
    return result;
  });
}

}  // namespace superpose
