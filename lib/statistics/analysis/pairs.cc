#include "lib/statistics/analysis/pairs.h"

#include <ATen/ATen.h>

#include <utility>

#include "lib/base/memory_estimate.h"
#include "lib/base/status_macros.h"
#include "lib/base/torch_guard.h"
#include "lib/statistics/analysis/snapshot_rows.h"

namespace superpose {
namespace {

// One of the two sets.
struct Side {
  at::Tensor ids;
  at::Tensor pair_rows;  // int64 [k]: their places among the features that pairs cover
  PairMargins margins;

  int64_t size() const { return ids.numel(); }
};

absl::StatusOr<Side> SideOf(const AnalysisInputs& inputs, const FeatureSelection& selection) {
  const SnapshotData& snapshot = *inputs.snapshot;
  Side side;
  SUPERPOSE_ASSIGN_OR_RETURN(side.ids, SelectFeatures(selection, *inputs.transcoder, &snapshot));
  SUPERPOSE_ASSIGN_OR_RETURN(const at::Tensor rows, snapshot.RowsOf(side.ids));
  SUPERPOSE_ASSIGN_OR_RETURN(side.pair_rows, snapshot.PairRowsOf(side.ids));
  SUPERPOSE_ASSIGN_OR_RETURN(side.margins, MarginsOf(snapshot, rows));
  return side;
}

class Pairs final : public Analysis {
 public:
  Pairs(const SnapshotData& snapshot, Side rows, Side columns, const PairsQuery& query, int64_t unit_entries)
      : snapshot_(snapshot),
        rows_(std::move(rows)),
        columns_(std::move(columns)),
        quantity_(query.quantity),
        min_count_(query.min_count),
        by_column_(columns_.size() < rows_.size()),
        blocks_(outer().size(), snapshot.pair_ids().numel(), unit_entries) {}

  int64_t units() const override { return blocks_.count(); }

  void RunUnit(int64_t unit) override {
    if (unit == 0) values_ = at::empty({rows_.size(), columns_.size()}, at::kDouble);
    const int64_t start = blocks_.start(unit);
    const int64_t length = blocks_.length(unit);
    PairRows pairs = PairsOrThrow(snapshot_, outer().ids.narrow(0, start, length));
    pairs.counts = pairs.counts.index_select(1, inner().pair_rows);
    pairs.sums = pairs.sums.index_select(1, inner().pair_rows);
    const PairMargins block = {outer().margins.counts.narrow(0, start, length),
                               outer().margins.sq_sums.narrow(0, start, length)};
    const at::Tensor values = Values(pairs, block);
    undefined_ += CountNaN(values);
    values_.narrow(by_column_ ? 1 : 0, start, length).copy_(values);
  }

  AnalysisOutput Take() override {
    const auto tokens = static_cast<double>(snapshot_.tokens());
    AnalysisOutput output;
    output.tensors.emplace_back("feature", rows_.ids);
    output.tensors.emplace_back("other_feature", columns_.ids);
    output.tensors.emplace_back("probability", rows_.margins.counts / tokens);
    output.tensors.emplace_back("other_probability", columns_.margins.counts / tokens);
    output.tensors.emplace_back("values", values_);
    output.undefined = undefined_;
    return output;
  }

  int64_t result_bytes() const override {
    return kDoubleBytes * (2 * rows_.size() + 2 * columns_.size() + rows_.size() * columns_.size());
  }

 private:
  const Side& outer() const { return by_column_ ? columns_ : rows_; }
  const Side& inner() const { return by_column_ ? rows_ : columns_; }

  // Of a block of outer() with all of inner().
  at::Tensor Values(const PairRows& pairs, const PairMargins& block) const {
    const int64_t tokens = snapshot_.tokens();
    if (!by_column_) return PairValues(quantity_, pairs, block, columns_.margins, tokens, min_count_);
    return PairValues(quantity_, {pairs.counts.t(), pairs.sums.t()}, rows_.margins, block, tokens, min_count_);
  }

  const SnapshotData& snapshot_;
  Side rows_;
  Side columns_;
  PairQuantity quantity_;
  int64_t min_count_;
  bool by_column_;
  RowBlocks blocks_;
  at::Tensor values_;
  int64_t undefined_ = 0;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Analysis>> MakePairs(const AnalysisInputs& inputs, const PairsQuery& query,
                                                    int64_t unit_entries) {
  SUPERPOSE_RETURN_IF_ERROR(CheckMinCount(query.min_count));
  SUPERPOSE_RETURN_IF_ERROR(inputs.snapshot->Require(StatisticsGroup::kPairs));
  SUPERPOSE_ASSIGN_OR_RETURN(Side rows, SideOf(inputs, query.features));
  Side columns = rows;
  if (query.other_features.has_value()) {
    SUPERPOSE_ASSIGN_OR_RETURN(columns, SideOf(inputs, *query.other_features));
  }
  return std::make_unique<Pairs>(*inputs.snapshot, std::move(rows), std::move(columns), query, unit_entries);
}

}  // namespace superpose
