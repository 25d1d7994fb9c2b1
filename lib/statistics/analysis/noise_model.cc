#include "lib/statistics/analysis/noise_model.h"

#include <ATen/ATen.h>

#include <limits>
#include <optional>
#include <utility>

#include "lib/base/status_macros.h"
#include "lib/base/torch_guard.h"
#include "lib/statistics/analysis/effective_weights.h"
#include "lib/statistics/analysis/gaussian_gate.h"
#include "lib/statistics/analysis/predicted_decoder_rows.h"
#include "lib/statistics/analysis/row_blocks.h"
#include "lib/statistics/analysis/snapshot_rows.h"

namespace superpose {
namespace {

// The normal distribution at every bin of the histogram costs several times what a product does.
constexpr int64_t kEntriesPerUnit = 4;

// What the factory gathers.
struct NoiseSources {
  at::Tensor features;  // int64 [n]
  at::Tensor rows;      // of the snapshot
  EffectiveWeights weights;
  NoiseMoments moments;
  std::optional<at::Tensor> histogram;
  at::Tensor W_out;
  std::unique_ptr<DecoderRows> real;
};

class NoiseModelAnalysis final : public Analysis {
 public:
  NoiseModelAnalysis(NoiseSources sources, bool with_values, int64_t unit_entries)
      : sources_(std::move(sources)),
        with_values_(with_values),
        blocks_(rows(), kEntriesPerUnit * sources_.W_out.size(0), unit_entries),
        act_mean_(at::empty({rows()}, at::kDouble)),
        act_var_(at::empty_like(act_mean_)),
        cosine_(at::full({rows()}, std::numeric_limits<double>::quiet_NaN(), at::kDouble)) {}

  int64_t units() const override { return blocks_.count(); }

  void RunUnit(int64_t unit) override {
    const int64_t start = blocks_.start(unit), length = blocks_.length(unit);
    const at::Tensor rows = sources_.rows.narrow(0, start, length);
    const at::Tensor W_eff = sources_.weights.Rows(sources_.features.narrow(0, start, length));
    const NoiseRows noise = sources_.moments.Rows(rows, W_eff);
    act_mean_.narrow(0, start, length).copy_(noise.act_mean);
    act_var_.narrow(0, start, length).copy_(noise.act_var);
    undefined_ += noise.noise_var.lt(0).sum().item<int64_t>();
    if (with_values_) KeepValues(noise, start);
    if (!sources_.histogram.has_value()) return;
    const at::Tensor gate = GaussianGateProbability(noise, W_eff, sources_.histogram->index_select(0, rows));
    const at::Tensor predicted = DecodersOf(gate, W_eff, sources_.W_out);
    const at::Tensor real = sources_.real->Rows(Consecutive(start, length));
    cosine_.narrow(0, start, length).copy_(CompareRows(predicted, real).cosine);
  }

  AnalysisOutput Take() override {
    AnalysisOutput output;
    output.undefined = undefined_ + CountNaN(act_mean_) + CountNaN(act_var_) + CountNaN(cosine_);
    output.tensors = {
        {"feature", sources_.features}, {"act_mean", act_mean_}, {"act_var", act_var_}, {"cosine", cosine_}};
    if (with_values_) {
      output.tensors.emplace_back("noise_mean", std::move(noise_mean_));
      output.tensors.emplace_back("noise_var", std::move(noise_var_));
    }
    return output;
  }

  int64_t result_bytes() const override {
    const int64_t value_bytes = with_values_ ? 2 * sources_.W_out.size(0) * static_cast<int64_t>(sizeof(float)) : 0;
    return rows() * (static_cast<int64_t>(4 * sizeof(double)) + value_bytes);
  }

 private:
  int64_t rows() const { return sources_.features.numel(); }

  void KeepValues(const NoiseRows& noise, int64_t start) {
    if (!noise_mean_.defined()) {
      noise_mean_ = at::empty({rows(), noise.noise_mean.size(1)}, at::kFloat);
      noise_var_ = at::empty_like(noise_mean_);
    }
    noise_mean_.narrow(0, start, noise.noise_mean.size(0)).copy_(noise.noise_mean);
    noise_var_.narrow(0, start, noise.noise_var.size(0)).copy_(noise.noise_var);
    undefined_ += CountNaN(noise.noise_mean) + CountNaN(noise.noise_var);
  }

  NoiseSources sources_;
  bool with_values_;
  RowBlocks blocks_;
  at::Tensor act_mean_, act_var_, cosine_;
  at::Tensor noise_mean_, noise_var_;
  int64_t undefined_ = 0;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Analysis>> MakeNoiseModel(const AnalysisInputs& inputs, const NoiseModelQuery& query,
                                                         int64_t unit_entries) {
  return CatchTorch([&]() -> absl::StatusOr<std::unique_ptr<Analysis>> {
    SUPERPOSE_ASSIGN_OR_RETURN(at::Tensor features,
                               SelectFeatures(query.features, *inputs.transcoder, inputs.snapshot));
    SUPERPOSE_ASSIGN_OR_RETURN(at::Tensor rows, inputs.snapshot->RowsOf(features));
    SUPERPOSE_ASSIGN_OR_RETURN(EffectiveWeights weights, EffectiveWeights::Create(inputs));
    SUPERPOSE_ASSIGN_OR_RETURN(NoiseMoments moments, NoiseMoments::Create(inputs, query.formula));
    SUPERPOSE_ASSIGN_OR_RETURN(auto real, MakeDecoderRows(inputs, {DecoderKind::kReal}, features));
    std::optional<at::Tensor> histogram;
    if (auto found = ActivationHistogram(*inputs.snapshot); found.ok()) histogram = *std::move(found);
    NoiseSources sources{std::move(features), std::move(rows),      std::move(weights),
                         std::move(moments),  std::move(histogram), inputs.model->layer_tensor(inputs.layer, "W_out"),
                         std::move(real)};
    return std::make_unique<NoiseModelAnalysis>(std::move(sources), query.values, unit_entries);
  });
}

}  // namespace superpose
