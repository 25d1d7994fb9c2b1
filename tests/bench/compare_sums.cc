#include "tests/bench/compare_sums.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "lib/statistics/snapshot_data.h"
#include "tests/bench/bench_inputs.h"

namespace superpose {
namespace {

constexpr int64_t kIdsAtOnce = 256;  // whose pairs with all features exist at once

at::Tensor PairSquare(const SnapshotData& data, const at::Tensor& ids, bool counts) {
  std::vector<at::Tensor> blocks;
  for (const at::Tensor& some : ids.split(kIdsAtOnce)) {
    const PairRows pairs = Must(data.Pairs(some));
    blocks.push_back((counts ? pairs.counts : pairs.sums).index_select(1, ids));
  }
  return at::cat(blocks);
}

bool IsByFeature(const std::string& name) {
  return absl::StartsWith(name, "act_") || name == "gate_act_counts" || absl::EndsWith(name, "_no_act");
}

at::Tensor OfFeatures(const SnapshotData& data, const std::string& name, const at::Tensor& ids) {
  if (absl::StartsWith(name, "act_cov_")) return PairSquare(data, ids, name == "act_cov_counts");
  const at::Tensor all = Must(data.Tensor(name));
  return IsByFeature(name) ? all.index_select(0, Must(data.RowsOf(ids))) : all;
}

double Difference(const at::Tensor& ours, const at::Tensor& theirs) {
  const at::Tensor wide = theirs.to(at::kDouble);
  const double norm = wide.norm().item<double>();
  return (ours.to(at::kDouble) - wide).norm().item<double>() / (norm > 0 ? norm : 1);
}

double Allowed(const std::string& name, bool is_count, const SumsTolerance& tolerance) {
  if (absl::StrContains(name, "gate") || name == "mid_sum") {
    return is_count ? tolerance.gate_counts : tolerance.gates;
  }
  return is_count ? tolerance.counts : tolerance.sums;
}

}  // namespace

absl::StatusOr<double> CompareSums(const TensorMap& ours, const StatisticsShape& shape, const TensorMap& theirs,
                                   const SumsTolerance& tolerance) {
  const SnapshotData data = Must(SnapshotData::Create(ours, shape));
  const at::Tensor ids = theirs.at("feat_ids");
  double largest = 0;
  for (const auto& [name, sums] : theirs) {
    if (name == "feat_ids") continue;
    const at::Tensor own = OfFeatures(data, name, ids);
    const double difference = Difference(own, sums);
    const double allowed = Allowed(name, own.scalar_type() == at::kLong, tolerance);
    // A NaN does not pass.
    if (!(difference <= allowed)) {
      return absl::InternalError(absl::StrCat(name, " is off the reference's by ", difference, ", not ", allowed));
    }
    largest = std::max(largest, difference);
  }
  return largest;
}

}  // namespace superpose
