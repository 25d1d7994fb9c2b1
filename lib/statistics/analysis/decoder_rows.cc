#include "lib/statistics/analysis/decoder_rows.h"

#include <ATen/ATen.h>

#include <limits>
#include <utility>

#include "lib/base/status_macros.h"
#include "lib/statistics/analysis/predicted_decoder_rows.h"

namespace superpose {
namespace {

// The transcoder's W_dec, centred over d_model as the model's own output is.
class RealDecoders final : public DecoderRows {
 public:
  RealDecoders(const AnalysisInputs& inputs, at::Tensor features)
      : W_dec_(inputs.transcoder->tensor("W_dec")), device_(inputs.model->device()), features_(std::move(features)) {}

  at::Tensor Rows(const at::Tensor& which) const override {
    const at::Tensor ids = features_.index_select(0, which).to(W_dec_.device());
    const at::Tensor rows = W_dec_.index_select(0, ids).to(device_, at::kDouble);
    return (rows - rows.mean(1, /*keepdim=*/true)).to(at::kFloat);
  }
  int64_t entries_per_row() const override { return W_dec_.size(1); }

 private:
  at::Tensor W_dec_;
  at::Device device_;
  at::Tensor features_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<DecoderRows>> MakeDecoderRows(const AnalysisInputs& inputs, const DecoderChoice& choice,
                                                             const at::Tensor& features) {
  SUPERPOSE_RETURN_IF_ERROR(CheckFeatureIds(features.contiguous(), inputs.transcoder->d_sae(), "features"));
  if (choice.kind == DecoderKind::kReal) return std::make_unique<RealDecoders>(inputs, features);
  return MakePredictedDecoderRows(inputs, choice.method, features);
}

at::Tensor Consecutive(int64_t start, int64_t length) { return at::arange(start, start + length, at::kLong); }

at::Tensor UnitRows(const at::Tensor& rows) {
  const at::Tensor values = rows.to(at::kDouble);
  return values / values.norm(2, at::IntArrayRef{1}, /*keepdim=*/true);
}

RowComparison CompareRows(const at::Tensor& a, const at::Tensor& b) {
  const at::Tensor left = a.to(at::kDouble), right = b.to(at::kDouble);
  const at::Tensor left_norm = left.norm(2, at::IntArrayRef{1}), right_norm = right.norm(2, at::IntArrayRef{1});
  RowComparison result;
  result.cosine = ((left * right).sum(1) / left_norm / right_norm).clamp_(-1, 1);
  result.norm_ratio = (left_norm / right_norm).masked_fill_(right_norm.eq(0), std::numeric_limits<double>::quiet_NaN());
  return result;
}

}  // namespace superpose
