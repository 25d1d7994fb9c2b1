// The golden model, transcoder and midcoders with snapshots of two kinds: the reference's, and one that is summed here,
// token by token, over the golden forward pass.
#pragma once

#include <ATen/ATen.h>

#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "lib/statistics/analysis/analysis.h"
#include "tests/lib/statistics/analysis/analysis_rig.h"
#include "tests/status_matchers.h"
#include "tests/support/devices.h"
#include "tests/support/golden.h"

namespace superpose {

inline constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

// An answer with its tensors by name.
struct Found {
  TensorMap tensors;
  std::vector<std::string> order;
  std::map<std::string, double> figures;
  int64_t undefined = 0;

  const at::Tensor& operator[](const std::string& name) const { return tensors.at(name); }
};

inline Found AnswerOf(absl::StatusOr<std::unique_ptr<Analysis>> analysis) {
  const AnalysisOutput output = Answer(std::move(analysis));
  Found found{.tensors = {}, .order = NamesOf(output), .figures = output.figures, .undefined = output.undefined};
  for (const auto& [name, tensor] : output.tensors) {
    EXPECT_TRUE(tensor.is_cpu()) << name;
    found.tensors[name] = tensor;
  }
  return found;
}

// Whether they are the same where they are defined, and are defined in the same places.
inline testing::AssertionResult SameNumbers(const at::Tensor& actual, const at::Tensor& expected, double most) {
  if (actual.sizes() != expected.sizes()) return testing::AssertionFailure() << "shapes differ";
  const at::Tensor wanted = expected.to(at::kDouble), got = actual.to(at::kDouble);
  if (!at::equal(got.isnan(), wanted.isnan())) return testing::AssertionFailure() << "NaN elsewhere";
  const double error = LargestError(got.nan_to_num(), wanted.nan_to_num());
  const double scale = wanted.nan_to_num().abs().max().item<double>();
  if (error <= most * std::max(scale, 1e-12)) return testing::AssertionSuccess();
  return testing::AssertionFailure() << "differ by " << error << " where the largest is " << scale;
}

inline at::Tensor Unit(const at::Tensor& rows) { return rows / rows.norm(2, at::IntArrayRef{1}, true); }
inline at::Tensor Centred(const at::Tensor& rows) { return rows - rows.mean(1, true); }
inline at::Tensor Cosines(const at::Tensor& a, const at::Tensor& b) { return (Unit(a) * Unit(b)).sum(1); }

inline at::Tensor Indices(const std::vector<int64_t>& ids) { return at::tensor(ids, at::kLong); }

inline at::Tensor Flags(const std::vector<int64_t>& flags) { return Indices(flags).to(at::kBool); }

class DecoderRig {
 public:
  static constexpr int64_t kLayer = 1;
  static constexpr StatisticsShape kShape = {.d_sae = 256, .d_mlp = 128, .d_model = 32};

  explicit DecoderRig(at::Device device = at::kCPU) : model_(GoldenModel(device)) {
    auto transcoder =
        Transcoder::Load({.path = GoldenPath("tiny_transcoder_dunefsky.pt"),
                          .log_sparsity_path = GoldenPath("tiny_transcoder_dunefsky_log_feature_sparsity.pt")},
                         device);
    EXPECT_OK(transcoder);
    if (transcoder.ok()) transcoder_ = *std::move(transcoder);
    UseMidcoder(MidForm::kDMlp);
  }

  // The one that was trained.
  void UseMidcoder(MidForm form) {
    const TensorMap golden =
        GoldenTensors(form == MidForm::kDMlp ? "tiny_mid_d_mlp_f32.safetensors" : "tiny_mid_d_model_f32.safetensors");
    auto midcoder = Midcoder::FromTensors(form, MidGate::kRelu, kLayer, *model_, kShape.d_sae,
                                          {{"W_mid", golden.at("after_50.W_mid")},
                                           {"b_mid", golden.at("after_50.b_mid")},
                                           {"b_mid_out", golden.at("after_50.b_mid_out")}});
    EXPECT_OK(midcoder);
    if (midcoder.ok()) midcoder_ = *std::move(midcoder);
  }
  void DropMidcoder() { midcoder_.reset(); }

  void UseSnapshot(TensorMap tensors) {
    auto snapshot = SnapshotData::Create(std::move(tensors), kShape);
    EXPECT_OK(snapshot);
    if (snapshot.ok()) snapshot_ = *std::move(snapshot);
  }

  AnalysisInputs inputs() const {
    return {.snapshot = &*snapshot_,
            .model = model_.get(),
            .transcoder = transcoder_.get(),
            .layer = kLayer,
            .midcoder = midcoder_.has_value() ? &*midcoder_ : nullptr};
  }
  const SnapshotData& snapshot() const { return *snapshot_; }
  const Transcoder& transcoder() const { return *transcoder_; }

  // Parameters in float64 on the CPU.
  at::Tensor W_out() const { return Weight("W_out"); }
  at::Tensor W_dec() const { return transcoder_->tensor("W_dec").cpu().to(at::kDouble); }
  at::Tensor W_eff() const {
    const at::Tensor W_mid = midcoder_->parameters().W_mid.cpu().to(at::kDouble);
    return midcoder_->form() == MidForm::kDMlp ? W_mid : at::mm(W_mid, Weight("W_in"));
  }
  at::Tensor b_eff() const {
    const at::Tensor b_mid = midcoder_->parameters().b_mid.cpu().to(at::kDouble);
    return midcoder_->form() == MidForm::kDMlp ? b_mid : at::mv(Weight("W_in").t(), b_mid) + Weight("b_in");
  }

  // What the golden forward pass has, float64 [128 tokens, ..].
  at::Tensor z() const {
    auto encoded = transcoder_->Encode(Golden("blocks.1.ln2.hook_normalized").to(at::kFloat).to(model_->device()));
    EXPECT_OK(encoded);
    const at::Tensor splits = encoded->row_splits.cpu();
    at::Tensor dense = at::zeros({encoded->rows(), kShape.d_sae}, at::kDouble);
    const at::Tensor rows = at::repeat_interleave(at::arange(encoded->rows(), at::kLong), splits.diff());
    dense.index_put_({rows, encoded->feature_ids.cpu().to(at::kLong)}, encoded->values.cpu().to(at::kDouble));
    return dense;
  }
  at::Tensor p() const { return Golden("blocks.1.mlp.hook_pre"); }
  at::Tensor gate() const { return at::addmm(b_eff(), z(), W_eff()).gt(0).to(at::kDouble); }

  // Sums over those tokens, of all features.
  TensorMap ExactSums() const {
    const at::Tensor z = this->z(), p = this->p(), g = gate(), active = z.gt(0).to(at::kDouble), zt = z.t();
    const at::Tensor log2 = z.log2().floor().add(16).clamp(0, 31).nan_to_num(0, 0, 0).to(at::kLong);
    const at::Tensor histogram =
        at::zeros({kShape.d_sae, 32}, at::kDouble).scatter_add(1, log2.t().contiguous(), active.t().contiguous());
    return {{"counts", at::full({1}, z.size(0), at::kLong)},
            {"act_counts", active.sum(0).to(at::kLong)},
            {"act_sum", z.sum(0)},
            {"act_sq_sum", z.square().sum(0)},
            {"act_max", std::get<0>(z.max(0)).to(at::kFloat)},
            {"act_log2_histogram", histogram.to(at::kLong)},
            {"act_gate_sum", at::mm(zt, g)},
            {"act_sq_gate_sum", at::mm(zt.square(), g)},
            {"gate_act_counts", at::mm(active.t(), g).to(at::kLong)},
            {"pre_relu_sum_no_act", at::mm(active.t(), p)},
            {"pre_relu_sq_sum_act", at::mm(active.t(), p.square())},
            {"act_pre_relu_sum", at::mm(zt, p)},
            {"pre_relu_sum", p.sum(0)},
            {"pre_relu_cov_sum", at::mm(p.t(), p)}};
  }

 private:
  at::Tensor Weight(const std::string& name) const { return model_->layer_tensor(kLayer, name).cpu().to(at::kDouble); }
  static at::Tensor Golden(const std::string& name) {
    return GoldenTensors("tiny_forward_f32.safetensors").at(name).flatten(0, 1).to(at::kDouble);
  }

  std::shared_ptr<const Model> model_;
  std::shared_ptr<const Transcoder> transcoder_;
  std::optional<Midcoder> midcoder_;
  std::optional<SnapshotData> snapshot_;
};

}  // namespace superpose
