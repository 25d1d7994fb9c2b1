#include "lib/statistics/analysis/decoder_similarities.h"

#include <ATen/ATen.h>

#include <limits>
#include <tuple>
#include <utility>

#include "lib/base/status_macros.h"
#include "lib/base/torch_guard.h"
#include "lib/kernels/dense_ops.h"
#include "lib/statistics/analysis/gathered_decoders.h"
#include "lib/statistics/analysis/row_blocks.h"
#include "lib/statistics/analysis/snapshot_rows.h"

namespace superpose {
namespace {

constexpr double kNone = -std::numeric_limits<double>::infinity();
// An entry of the product costs what one of W_out does, but few rows at a time would read all columns too often.
constexpr int64_t kColumnsPerEntry = 4;

// Decoders of one set.
struct DecoderSet {
  DecoderSet(at::Tensor features, std::unique_ptr<DecoderRows> decoders, int64_t unit_entries)
      : features(std::move(features)),
        source(std::move(decoders)),
        all(Consecutive(0, this->features.numel())),
        gathered(size(), *source, unit_entries) {}

  int64_t size() const { return features.numel(); }
  void Gather(int64_t block) { gathered.Gather(*source, all, block); }

  at::Tensor features;
  std::unique_ptr<DecoderRows> source;
  at::Tensor all;
  GatheredDecoders gathered;
};

// Largest values and where they are; float32 and int64, on the model's device.
struct Maxima {
  Maxima(int64_t size, at::Device device)
      : value(at::full({size}, kNone, at::TensorOptions(device).dtype(at::kFloat))),
        index(at::full({size}, -1, value.options().dtype(at::kLong))) {}

  at::Tensor value;
  at::Tensor index;
};

class DecoderSimilaritiesAnalysis final : public Analysis {
 public:
  DecoderSimilaritiesAnalysis(std::unique_ptr<DecoderSet> rows, std::unique_ptr<DecoderSet> columns, bool with_values,
                              at::Device device, int64_t unit_entries)
      : rows_(std::move(rows)),
        other_columns_(std::move(columns)),
        with_values_(with_values),
        blocks_(rows_->size(), (this->columns().size() + kColumnsPerEntry - 1) / kColumnsPerEntry, unit_entries),
        row_max_(rows_->size(), device),
        column_max_(this->columns().size(), device) {}

  int64_t units() const override { return gatherings() + blocks_.count(); }

  void RunUnit(int64_t unit) override {
    const int64_t row_gatherings = rows_->gathered.blocks();
    if (unit < row_gatherings) return rows_->Gather(unit);
    if (unit < gatherings()) return other_columns_->Gather(unit - row_gatherings);
    Compare(unit - gatherings());
  }

  AnalysisOutput Take() override {
    AnalysisOutput output;
    output.tensors = {{"feature", rows_->features}, {"other_feature", columns().features}};
    PutMaxima("row", row_max_, output);
    PutMaxima("column", column_max_, output);
    if (with_values_) output.tensors.emplace_back("values", std::move(values_));
    output.undefined += undefined_;
    return output;
  }

  int64_t result_bytes() const override {
    const int64_t n = rows_->size(), m = columns().size();
    return (n + m) * static_cast<int64_t>(3 * sizeof(double)) +
           (with_values_ ? n * m * static_cast<int64_t>(sizeof(float)) : 0);
  }

 private:
  const DecoderSet& columns() const { return other_columns_ == nullptr ? *rows_ : *other_columns_; }
  int64_t gatherings() const {
    return rows_->gathered.blocks() + (other_columns_ == nullptr ? 0 : other_columns_->gathered.blocks());
  }

  // The cosines of a block of rows with all columns.
  void Compare(int64_t block) {
    const int64_t start = blocks_.start(block), length = blocks_.length(block);
    const at::Tensor rows = rows_->gathered.units().narrow(0, start, length);
    const at::Tensor cosines = Multiply(rows, columns().gathered.units().t()).clamp_(-1, 1);
    KeepValues(cosines, start);
    const at::Device device = cosines.device();
    const at::Tensor same =
        rows_->features.narrow(0, start, length).to(device).unsqueeze(1).eq(columns().features.to(device).unsqueeze(0));
    const at::Tensor candidates = cosines.masked_fill(same.logical_or_(cosines.isnan()), kNone);
    const auto [row_value, row_index] = candidates.max(1);
    row_max_.value.narrow(0, start, length).copy_(row_value);
    row_max_.index.narrow(0, start, length).copy_(row_index);
    const auto [column_value, column_index] = candidates.max(0);
    const at::Tensor larger = column_value.gt(column_max_.value);
    column_max_.value = at::where(larger, column_value, column_max_.value);
    column_max_.index = at::where(larger, column_index + start, column_max_.index);
  }

  void KeepValues(const at::Tensor& cosines, int64_t start) {
    if (!with_values_) return;
    if (!values_.defined()) values_ = at::empty({rows_->size(), columns().size()}, at::kFloat);
    values_.narrow(0, start, cosines.size(0)).copy_(cosines);
    undefined_ += CountNaN(cosines);
  }

  static void PutMaxima(const std::string& name, const Maxima& maxima, AnalysisOutput& output) {
    const at::Tensor none = maxima.value.eq(kNone);
    output.undefined += none.sum().item<int64_t>();
    output.tensors.emplace_back(
        name + "_max",
        maxima.value.masked_fill(none, std::numeric_limits<double>::quiet_NaN()).to(at::kCPU, at::kDouble));
    output.tensors.emplace_back(name + "_argmax", maxima.index.masked_fill(none, -1).cpu());
  }

  std::unique_ptr<DecoderSet> rows_;
  std::unique_ptr<DecoderSet> other_columns_;  // null where the columns are the rows
  bool with_values_;
  RowBlocks blocks_;
  Maxima row_max_, column_max_;
  at::Tensor values_;
  int64_t undefined_ = 0;
};

absl::StatusOr<std::unique_ptr<DecoderSet>> MakeSet(const AnalysisInputs& inputs, const FeatureSelection& selection,
                                                    const DecoderChoice& choice, int64_t unit_entries) {
  SUPERPOSE_ASSIGN_OR_RETURN(at::Tensor features, SelectFeatures(selection, *inputs.transcoder, inputs.snapshot));
  SUPERPOSE_ASSIGN_OR_RETURN(auto decoders, MakeDecoderRows(inputs, choice, features));
  return std::make_unique<DecoderSet>(std::move(features), std::move(decoders), unit_entries);
}

}  // namespace

absl::StatusOr<std::unique_ptr<Analysis>> MakeDecoderSimilarities(const AnalysisInputs& inputs,
                                                                  const DecoderSimilaritiesQuery& query,
                                                                  int64_t unit_entries) {
  return CatchTorch([&]() -> absl::StatusOr<std::unique_ptr<Analysis>> {
    SUPERPOSE_ASSIGN_OR_RETURN(auto rows, MakeSet(inputs, query.features, query.decoders, unit_entries));
    std::unique_ptr<DecoderSet> columns;
    if (query.other_features.has_value()) {
      SUPERPOSE_ASSIGN_OR_RETURN(columns, MakeSet(inputs, *query.other_features, query.decoders, unit_entries));
    }
    return std::make_unique<DecoderSimilaritiesAnalysis>(std::move(rows), std::move(columns), query.values,
                                                         inputs.model->device(), unit_entries);
  });
}

}  // namespace superpose
