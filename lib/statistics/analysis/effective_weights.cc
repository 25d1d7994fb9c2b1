#include "lib/statistics/analysis/effective_weights.h"

#include <ATen/ATen.h>

#include "lib/base/error.h"

namespace superpose {

absl::StatusOr<EffectiveWeights> EffectiveWeights::Create(const AnalysisInputs& inputs) {
  if (inputs.midcoder == nullptr) {
    return FailedPrecondition(reason::kSnapshotTensorMissing,
                              "the snapshot holds no midcoder's parameters (W_mid, b_mid, b_mid_out): take one of a "
                              "midcoder");
  }
  return EffectiveWeights(inputs);
}

EffectiveWeights::EffectiveWeights(const AnalysisInputs& inputs)
    : device_(inputs.model->device()),
      W_mid_(inputs.midcoder->parameters().W_mid),
      b_mid_(inputs.midcoder->parameters().b_mid.to(device_, at::kFloat)) {
  if (inputs.midcoder->form() == MidForm::kDMlp) return;
  W_in_ = inputs.model->layer_tensor(inputs.layer, "W_in");
  b_in_ = inputs.model->layer_tensor(inputs.layer, "b_in");
}

at::Tensor EffectiveWeights::MidRows(const at::Tensor& features) const {
  return W_mid_.index_select(0, features.to(W_mid_.device())).to(device_, at::kFloat);
}

at::Tensor EffectiveWeights::Rows(const at::Tensor& features) const {
  at::Tensor rows = MidRows(features);
  return W_in_.defined() ? at::mm(rows, W_in_) : rows;
}

at::Tensor EffectiveWeights::Column(const at::Tensor& features, int64_t unit) const {
  if (W_in_.defined()) return at::mv(MidRows(features), W_in_.select(1, unit));
  return W_mid_.select(1, unit).index_select(0, features.to(W_mid_.device())).to(device_, at::kFloat);
}

at::Tensor EffectiveWeights::Bias() const { return W_in_.defined() ? at::addmv(b_in_, W_in_.t(), b_mid_) : b_mid_; }

}  // namespace superpose
