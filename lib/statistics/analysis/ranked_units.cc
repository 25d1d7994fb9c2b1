#include "lib/statistics/analysis/ranked_units.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <string>
#include <utility>

#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "lib/base/torch_guard.h"
#include "lib/statistics/analysis/decoder_rows.h"
#include "lib/statistics/analysis/effective_weights.h"
#include "lib/statistics/analysis/feature_selection.h"
#include "lib/statistics/analysis/ranking.h"
#include "lib/statistics/analysis/snapshot_rows.h"

namespace superpose {
namespace {

// Entries of a mapped file's column cost a page each.
constexpr int64_t kEntriesPerPage = 1024;

// What both directions read.
struct GateTable {
  EffectiveWeights weights;
  at::Tensor gate_counts;  // [f, d_mlp]
  at::Tensor act_counts;   // [f]
};

// What is ranked: candidates have ids, W_eff and gate probabilities, all on the CPU and float64 but for the ids.
class RankedUnitsAnalysis : public Analysis {
 public:
  RankedUnitsAnalysis(const char* name, at::Tensor ids, int64_t k)
      : w_eff_(at::empty({ids.numel()}, at::kDouble)),
        probability_(at::empty_like(w_eff_)),
        name_(name),
        ids_(std::move(ids)),
        k_(std::min(k, ids_.numel())) {}

  AnalysisOutput Take() final {
    const at::Tensor weight = w_eff_.abs() * probability_;
    const at::Tensor order = LargestIndices(weight, k_);
    AnalysisOutput output;
    output.tensors = {{name_, ids_.index_select(0, order)},
                      {"weight", weight.index_select(0, order)},
                      {"w_eff", w_eff_.index_select(0, order)},
                      {"gate_probability", probability_.index_select(0, order)}};
    output.undefined = CountNaN(weight);
    const double squares = weight.square().nansum().item<double>(), sum = weight.nansum().item<double>();
    if (squares > 0) output.figures["participation_ratio"] = sum * sum / squares;
    return output;
  }

  int64_t result_bytes() const final { return k_ * static_cast<int64_t>(4 * sizeof(double)); }

 protected:
  const at::Tensor& ids() const { return ids_; }

  at::Tensor w_eff_;
  at::Tensor probability_;

 private:
  std::string name_;
  at::Tensor ids_;
  int64_t k_;
};

class UnitsOfFeature final : public RankedUnitsAnalysis {
 public:
  UnitsOfFeature(GateTable table, at::Tensor feature, at::Tensor row, int64_t k)
      : RankedUnitsAnalysis("unit", Consecutive(0, table.gate_counts.size(1)), k),
        table_(std::move(table)),
        feature_(std::move(feature)),
        row_(std::move(row)) {}

  int64_t units() const override { return 1; }
  void RunUnit(int64_t /*unit*/) override {
    w_eff_.copy_(table_.weights.Rows(feature_).squeeze(0));
    const at::Tensor count = TakeRows(table_.act_counts, row_, at::kCPU);
    probability_.copy_(TakeRows(table_.gate_counts, row_, at::kCPU).squeeze(0) / count);
  }

 private:
  GateTable table_;
  at::Tensor feature_, row_;
};

class FeaturesOfUnit final : public RankedUnitsAnalysis {
 public:
  FeaturesOfUnit(GateTable table, int64_t hidden_unit, const at::Tensor& features, at::Tensor rows, int64_t k,
                 int64_t unit_entries)
      : RankedUnitsAnalysis("feature", features, k),
        table_(std::move(table)),
        hidden_unit_(hidden_unit),
        rows_(std::move(rows)),
        blocks_(features.numel(), kEntriesPerPage, unit_entries) {}

  int64_t units() const override { return blocks_.count(); }
  void RunUnit(int64_t unit) override {
    const int64_t start = blocks_.start(unit), length = blocks_.length(unit);
    const at::Tensor rows = rows_.narrow(0, start, length);
    w_eff_.narrow(0, start, length).copy_(table_.weights.Column(ids().narrow(0, start, length), hidden_unit_));
    const at::Tensor counts = TakeRows(table_.gate_counts.select(1, hidden_unit_), rows, at::kCPU);
    probability_.narrow(0, start, length).copy_(counts / TakeRows(table_.act_counts, rows, at::kCPU));
  }

 private:
  GateTable table_;
  int64_t hidden_unit_;
  at::Tensor rows_;
  RowBlocks blocks_;
};

absl::Status CheckQuery(const RankedUnitsQuery& query, int64_t d_mlp) {
  if (query.feature.has_value() == query.unit.has_value()) {
    return InvalidArgument(reason::kConfigInvalid, "set one of feature and unit");
  }
  if (query.k < 1) return InvalidArgument(reason::kConfigInvalid, "k is ", query.k, ", but must be 1 or more");
  if (query.unit.has_value() && (*query.unit < 0 || *query.unit >= d_mlp)) {
    return InvalidArgument(reason::kConfigInvalid, "unit is ", *query.unit, ", but must be 0 .. ", d_mlp - 1);
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<Analysis>> MakeRankedUnits(const AnalysisInputs& inputs, const RankedUnitsQuery& query,
                                                          int64_t unit_entries) {
  return CatchTorch([&]() -> absl::StatusOr<std::unique_ptr<Analysis>> {
    SUPERPOSE_RETURN_IF_ERROR(CheckQuery(query, inputs.snapshot->shape().d_mlp));
    SUPERPOSE_ASSIGN_OR_RETURN(EffectiveWeights weights, EffectiveWeights::Create(inputs));
    SUPERPOSE_ASSIGN_OR_RETURN(at::Tensor gate_counts, inputs.snapshot->Tensor("gate_act_counts"));
    GateTable table{std::move(weights), std::move(gate_counts), inputs.snapshot->ActCounts()};
    if (query.feature.has_value()) {
      at::Tensor feature = at::full({1}, *query.feature, at::kLong);
      SUPERPOSE_ASSIGN_OR_RETURN(at::Tensor row, inputs.snapshot->RowsOf(feature));
      return std::make_unique<UnitsOfFeature>(std::move(table), std::move(feature), std::move(row), query.k);
    }
    SUPERPOSE_ASSIGN_OR_RETURN(const at::Tensor features, SelectFeatures({}, *inputs.transcoder, inputs.snapshot));
    SUPERPOSE_ASSIGN_OR_RETURN(at::Tensor rows, inputs.snapshot->RowsOf(features));
    return std::make_unique<FeaturesOfUnit>(std::move(table), *query.unit, features, std::move(rows), query.k,
                                            unit_entries);
  });
}

}  // namespace superpose
