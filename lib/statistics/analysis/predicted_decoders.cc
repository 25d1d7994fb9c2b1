#include "lib/statistics/analysis/predicted_decoders.h"

#include <ATen/ATen.h>

#include <utility>

#include "lib/base/status_macros.h"
#include "lib/base/torch_guard.h"
#include "lib/statistics/analysis/row_blocks.h"
#include "lib/statistics/analysis/snapshot_rows.h"

namespace superpose {
namespace {

class PredictedDecodersAnalysis final : public Analysis {
 public:
  PredictedDecodersAnalysis(at::Tensor features, at::Tensor log10_frequency, std::unique_ptr<DecoderRows> predicted,
                            std::unique_ptr<DecoderRows> real, RowBlocks blocks, const PredictedDecodersQuery& query,
                            int64_t d_model)
      : features_(std::move(features)),
        log10_frequency_(std::move(log10_frequency)),
        predicted_rows_(std::move(predicted)),
        real_rows_(std::move(real)),
        blocks_(blocks),
        unit_(query.unit),
        d_model_(query.vectors ? d_model : 0),
        cosine_(at::empty({features_.numel()}, at::kDouble)),
        norm_ratio_(at::empty_like(cosine_)) {}

  int64_t units() const override { return blocks_.count(); }

  void RunUnit(int64_t unit) override {
    if (unit == 0) MakeVectors();
    const int64_t start = blocks_.start(unit), length = blocks_.length(unit);
    const at::Tensor which = Consecutive(start, length);
    const at::Tensor predicted = predicted_rows_->Rows(which), real = real_rows_->Rows(which);
    const RowComparison comparison = CompareRows(predicted, real);
    cosine_.narrow(0, start, length).copy_(comparison.cosine);
    norm_ratio_.narrow(0, start, length).copy_(comparison.norm_ratio);
    undefined_ += CountNaN(comparison.cosine) + CountNaN(comparison.norm_ratio);
    if (d_model_ == 0) return;
    Keep(predicted, start, predicted_);
    Keep(real, start, real_);
  }

  AnalysisOutput Take() override {
    AnalysisOutput output;
    output.tensors = {{"feature", features_},
                      {"cosine", cosine_},
                      {"norm_ratio", norm_ratio_},
                      {"log10_frequency", log10_frequency_}};
    if (d_model_ > 0) {
      output.tensors.emplace_back("predicted", std::move(predicted_));
      output.tensors.emplace_back("real", std::move(real_));
    }
    output.undefined = undefined_;
    const at::Tensor defined = std::get<0>(cosine_.masked_select(cosine_.isnan().logical_not()).sort());
    const int64_t count = defined.numel();
    if (count > 0) {
      output.figures["mean_cosine"] = defined.mean().item<double>();
      output.figures["median_cosine"] = (defined[(count - 1) / 2] + defined[count / 2]).item<double>() / 2;
    }
    return output;
  }

  int64_t result_bytes() const override {
    return features_.numel() * static_cast<int64_t>(4 * sizeof(double) + 2 * d_model_ * sizeof(float));
  }

 private:
  void MakeVectors() {
    if (d_model_ == 0) return;
    predicted_ = at::empty({features_.numel(), d_model_}, at::kFloat);
    real_ = at::empty_like(predicted_);
  }

  void Keep(const at::Tensor& rows, int64_t start, at::Tensor& vectors) {
    const at::Tensor kept = unit_ ? UnitRows(rows) : rows;
    vectors.narrow(0, start, rows.size(0)).copy_(kept);
    undefined_ += CountNaN(kept);
  }

  at::Tensor features_;
  at::Tensor log10_frequency_;
  std::unique_ptr<DecoderRows> predicted_rows_;
  std::unique_ptr<DecoderRows> real_rows_;
  RowBlocks blocks_;
  bool unit_;
  int64_t d_model_;  // 0 without vectors
  at::Tensor cosine_, norm_ratio_;
  at::Tensor predicted_, real_;
  int64_t undefined_ = 0;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Analysis>> MakePredictedDecoders(const AnalysisInputs& inputs,
                                                                const PredictedDecodersQuery& query,
                                                                int64_t unit_entries) {
  return CatchTorch([&]() -> absl::StatusOr<std::unique_ptr<Analysis>> {
    SUPERPOSE_ASSIGN_OR_RETURN(const at::Tensor features,
                               SelectFeatures(query.features, *inputs.transcoder, inputs.snapshot));
    SUPERPOSE_ASSIGN_OR_RETURN(auto predicted,
                               MakeDecoderRows(inputs, {DecoderKind::kPredicted, query.method}, features));
    SUPERPOSE_ASSIGN_OR_RETURN(auto real, MakeDecoderRows(inputs, {DecoderKind::kReal}, features));
    SUPERPOSE_RETURN_IF_ERROR(inputs.snapshot->RowsOf(features).status());
    SUPERPOSE_ASSIGN_OR_RETURN(const at::Tensor frequencies,
                               Log10Frequencies(*inputs.transcoder, inputs.snapshot, FrequencySource::kSnapshot));
    const RowBlocks blocks(features.numel(), predicted->entries_per_row(), unit_entries);
    return std::make_unique<PredictedDecodersAnalysis>(features, frequencies.index_select(0, features),
                                                       std::move(predicted), std::move(real), blocks, query,
                                                       inputs.transcoder->d_model());
  });
}

}  // namespace superpose
