#include "lib/statistics/analysis/feature_units.h"

#include <ATen/ATen.h>

#include <optional>
#include <string>
#include <utility>

#include "lib/base/memory_estimate.h"
#include "lib/base/status_macros.h"
#include "lib/base/torch_guard.h"

namespace superpose {
namespace {

std::string SumsOf(FeatureUnitQuantity quantity) {
  switch (quantity) {
    case FeatureUnitQuantity::kActGateMean:
      return "act_gate_sum";
    case FeatureUnitQuantity::kGateProbability:
    case FeatureUnitQuantity::kLog10GateCount:
      return "gate_act_counts";
    case FeatureUnitQuantity::kPreActivationMean:
      return "pre_relu_sum_no_act";
  }
  return "";
}

// What the features' sums are made of.
struct Source {
  at::Tensor ids;
  at::Tensor rows;
  at::Tensor sums;    // [f, d_mlp]
  at::Tensor counts;  // float64 [n], NaN where never active; undefined where the quantity has no denominator
};

absl::StatusOr<Source> SourceOf(const AnalysisInputs& inputs, const FeatureUnitsQuery& query) {
  Source source;
  SUPERPOSE_ASSIGN_OR_RETURN(source.sums, inputs.snapshot->Tensor(SumsOf(query.quantity)));
  SUPERPOSE_ASSIGN_OR_RETURN(source.ids, SelectFeatures(query.features, *inputs.transcoder, inputs.snapshot));
  SUPERPOSE_ASSIGN_OR_RETURN(source.rows, inputs.snapshot->RowsOf(source.ids));
  if (query.quantity != FeatureUnitQuantity::kLog10GateCount) {
    const at::Tensor counts = inputs.snapshot->ActCounts().index_select(0, source.rows).to(at::kDouble);
    source.counts = counts.masked_fill(counts.le(0), std::nan(""));
  }
  return source;
}

// Units 0 .. blocks - 1 find the range of the values, the others count them.
class FeatureUnits final : public Analysis {
 public:
  FeatureUnits(Source source, const FeatureUnitsQuery& query, int64_t unit_entries)
      : source_(std::move(source)), query_(query), blocks_(features(), width(), unit_entries) {}

  int64_t units() const override { return 2 * blocks_.count(); }

  void RunUnit(int64_t unit) override {
    const int64_t blocks = blocks_.count();
    if (unit == 0) Allocate();
    if (unit < blocks) {
      const at::Tensor block = Block(unit);
      range_.Extend(block);
      if (query_.values) Rows(values_, unit).copy_(block);
      return;
    }
    if (unit == blocks) histogram_.emplace(range_, query_.bins);
    Count(unit - blocks);
  }

  AnalysisOutput Take() override {
    AnalysisOutput output;
    output.tensors.emplace_back("feature", source_.ids);
    output.tensors.emplace_back("histogram_counts", counts_);
    output.tensors.emplace_back("histogram_edges", histogram_->Edges());
    if (query_.by_feature) output.tensors.emplace_back("by_feature", by_feature_);
    if (query_.values) output.tensors.emplace_back("values", values_);
    output.undefined = range_.undefined;
    return output;
  }

  int64_t result_bytes() const override {
    const int64_t bins_rows = query_.by_feature ? features() + 2 : 2;
    return kDoubleBytes * (features() + bins_rows * query_.bins + 1) +
           (query_.values ? kFloatBytes * features() * width() : 0);
  }

 private:
  int64_t features() const { return source_.ids.numel(); }
  int64_t width() const { return source_.sums.size(1); }
  at::Tensor Rows(const at::Tensor& tensor, int64_t block) const {
    return tensor.narrow(0, blocks_.start(block), blocks_.length(block));
  }

  void Allocate() {
    counts_ = at::zeros({query_.bins}, at::kLong);
    if (query_.by_feature) by_feature_ = at::zeros({features(), query_.bins}, at::kLong);
    if (query_.values) values_ = at::empty({features(), width()}, at::kFloat);
  }

  // float64 [rows, d_mlp]
  at::Tensor Block(int64_t block) const {
    at::Tensor values = source_.sums.index_select(0, Rows(source_.rows, block)).to(at::kDouble);
    if (!source_.counts.defined()) return values.add_(0.1).log10_();
    return values.div_(Rows(source_.counts, block).unsqueeze(1));
  }

  void Count(int64_t block) {
    if (!query_.by_feature) {
      histogram_->Count(Block(block), counts_);
      return;
    }
    at::Tensor rows = Rows(by_feature_, block);
    histogram_->CountRows(Block(block), rows);
    counts_.add_(rows.sum(0));
  }

  Source source_;
  FeatureUnitsQuery query_;
  RowBlocks blocks_;
  ValueRange range_;
  std::optional<Histogram> histogram_;
  at::Tensor counts_;
  at::Tensor by_feature_;
  at::Tensor values_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Analysis>> MakeFeatureUnits(const AnalysisInputs& inputs, const FeatureUnitsQuery& query,
                                                           int64_t unit_entries) {
  SUPERPOSE_RETURN_IF_ERROR(CheckBins(query.bins));
  return CatchTorch([&]() -> absl::StatusOr<std::unique_ptr<Analysis>> {
    SUPERPOSE_ASSIGN_OR_RETURN(Source source, SourceOf(inputs, query));
    return std::make_unique<FeatureUnits>(std::move(source), query, unit_entries);
  });
}

}  // namespace superpose
