#include "lib/statistics/analysis/coactive.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "lib/base/error.h"
#include "lib/base/memory_estimate.h"
#include "lib/base/status_macros.h"
#include "lib/base/torch_guard.h"
#include "lib/statistics/analysis/one_unit_analysis.h"
#include "lib/statistics/analysis/ranking.h"
#include "lib/statistics/analysis/snapshot_rows.h"

namespace superpose {
namespace {

struct Setting {
  CoactiveQuery query;
  PairMargins feature;  // [1]
  PairMargins others;   // [n], of pair_ids()
  at::Tensor is_other;  // bool [n]: another feature, the first of its id
};

absl::StatusOr<Setting> SettingOf(const SnapshotData& snapshot, const CoactiveQuery& query) {
  Setting setting;
  setting.query = query;
  const at::Tensor& others = snapshot.pair_ids();
  const at::Tensor feature = at::tensor({query.feature}, at::kLong);
  SUPERPOSE_ASSIGN_OR_RETURN(const at::Tensor row, snapshot.RowsOf(feature));
  SUPERPOSE_RETURN_IF_ERROR(snapshot.PairRowsOf(feature).status());
  SUPERPOSE_ASSIGN_OR_RETURN(const at::Tensor rows, snapshot.RowsOf(others));
  SUPERPOSE_ASSIGN_OR_RETURN(const at::Tensor first, snapshot.PairRowsOf(others));
  SUPERPOSE_ASSIGN_OR_RETURN(setting.feature, MarginsOf(snapshot, row));
  SUPERPOSE_ASSIGN_OR_RETURN(setting.others, MarginsOf(snapshot, rows));
  const at::Tensor is_first = first.eq(at::arange(others.numel(), at::kLong));
  setting.is_other = others.ne(query.feature).logical_and(is_first);
  return setting;
}

AnalysisOutput Coactive(const SnapshotData& snapshot, const Setting& setting) {
  const at::Tensor& ids = snapshot.pair_ids();
  const PairRows pairs = PairsOrThrow(snapshot, at::tensor({setting.query.feature}, at::kLong));
  auto quantity = [&](PairQuantity which) {
    return PairValues(which, pairs, setting.feature, setting.others, snapshot.tokens(), /*min_count=*/0).squeeze(0);
  };
  const at::Tensor values = quantity(setting.query.by);
  const at::Tensor frequent = setting.others.counts.ge(static_cast<double>(setting.query.min_count));
  const at::Tensor candidates = setting.is_other.logical_and(frequent);
  // Equal values go by id, not by place.
  const at::Tensor by_id = ids.argsort();
  const at::Tensor ranked = values.masked_fill(candidates.logical_not(), std::nan("")).index_select(0, by_id);
  const at::Tensor best = by_id.index_select(0, LargestIndices(ranked, setting.query.k));
  const at::Tensor phi = quantity(PairQuantity::kPhi).index_select(0, best);
  const at::Tensor lift = quantity(PairQuantity::kLift).index_select(0, best);
  AnalysisOutput output;
  output.tensors.emplace_back("feature", ids.index_select(0, best));
  output.tensors.emplace_back("value", values.index_select(0, best));
  output.tensors.emplace_back("joint_count", pairs.counts.squeeze(0).index_select(0, best));
  output.tensors.emplace_back("probability",
                              setting.others.counts.index_select(0, best) / static_cast<double>(snapshot.tokens()));
  output.tensors.emplace_back("phi", phi);
  output.tensors.emplace_back("lift", lift);
  output.undefined = CountNaN(values.masked_select(candidates)) + CountNaN(phi) + CountNaN(lift);
  return output;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Analysis>> MakeCoactive(const AnalysisInputs& inputs, const CoactiveQuery& query) {
  if (query.k < 1) return InvalidArgument(reason::kConfigInvalid, "k is ", query.k, ", but must be 1 or more");
  SUPERPOSE_RETURN_IF_ERROR(CheckMinCount(query.min_count));
  const SnapshotData& snapshot = *inputs.snapshot;
  SUPERPOSE_RETURN_IF_ERROR(snapshot.Require(StatisticsGroup::kPairs));
  return CatchTorch([&]() -> absl::StatusOr<std::unique_ptr<Analysis>> {
    SUPERPOSE_ASSIGN_OR_RETURN(Setting setting, SettingOf(snapshot, query));
    const int64_t bytes = 6 * kDoubleBytes * std::min(query.k, snapshot.pair_ids().numel());
    return std::make_unique<OneUnitAnalysis>(
        bytes, [&snapshot, setting = std::move(setting)] { return Coactive(snapshot, setting); });
  });
}

}  // namespace superpose
