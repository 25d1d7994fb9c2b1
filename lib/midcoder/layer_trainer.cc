#include "lib/midcoder/layer_trainer.h"

#include <ATen/ATen.h>

#include <string>
#include <utility>

#include "lib/kernels/dense_ops.h"
#include "lib/kernels/squared_error.h"

namespace superpose {
namespace {

MidcoderParameters ZerosLike(const MidcoderParameters& parameters) {
  return {at::zeros_like(parameters.W_mid), at::zeros_like(parameters.b_mid), at::zeros_like(parameters.b_mid_out)};
}

void AddNamed(const MidcoderParameters& parameters, const std::string& suffix, TensorMap& tensors) {
  tensors["W_mid" + suffix] = parameters.W_mid;
  tensors["b_mid" + suffix] = parameters.b_mid;
  tensors["b_mid_out" + suffix] = parameters.b_mid_out;
}

}  // namespace

LayerTrainer::LayerTrainer(std::shared_ptr<const Model> model, std::shared_ptr<const Transcoder> transcoder,
                           Midcoder midcoder, double mse_out_param)
    : model_(std::move(model)),
      transcoder_(std::move(transcoder)),
      midcoder_(std::move(midcoder)),
      exp_avg_(ZerosLike(midcoder_.parameters())),
      exp_avg_sq_(ZerosLike(midcoder_.parameters())),
      b_mid_grad_(at::zeros_like(midcoder_.parameters().b_mid)),
      b_mid_out_grad_(at::zeros_like(midcoder_.parameters().b_mid_out)),
      squares_(at::zeros({3}, b_mid_grad_.options().dtype(at::kDouble))),
      mse_out_param_(mse_out_param) {}

void LayerTrainer::BeginStep(int64_t rows) {
  rows_ = rows;
  squares_.zero_();
  b_mid_grad_.zero_();
  b_mid_out_grad_.zero_();
}

void LayerTrainer::RunTile(const SparseActivations& activations, const MlpRows& targets, const at::Tensor& grad_rows,
                           const at::Tensor& kept_mid) {
  const at::Tensor mid = midcoder_.Mid(*model_, activations);
  if (kept_mid.defined()) kept_mid.copy_(mid);
  const at::Tensor mlp_out = midcoder_.Output(*model_, midcoder_.Hidden(*model_, mid));
  SubtractAndAddSquares(transcoder_->DecodeRows(activations, targets.x_hat), targets.out, squares_.narrow(0, 2, 1));
  SubtractAndAddSquares(mlp_out, targets.out, squares_.narrow(0, 1, 1));
  const at::Tensor out_grad = mlp_out.mul_(2 * mse_out_param_ / static_cast<double>(rows_ * mlp_out.size(1)));
  b_mid_out_grad_.add_(out_grad.sum(0));
  at::Tensor mid_grad = midcoder_.form() == MidForm::kDMlp ? grad_rows : at::empty_like(mid);
  LinearInto(out_grad, model_->layer_tensor(midcoder_.layer(), "W_out").t(), {}, LinearEnd::kNothing, mid_grad);
  BackwardThroughHidden(mid, mid_grad);
  SubtractAndAddSquares(mid, targets.pre, squares_.narrow(0, 0, 1));  // mid is its error now
  mid_grad.add_(mid, 2 / static_cast<double>(rows_ * mid.size(1)));
  if (midcoder_.form() == MidForm::kDModel) {
    LinearInto(mid_grad, model_->layer_tensor(midcoder_.layer(), "W_in").t(), {}, LinearEnd::kNothing, grad_rows);
  }
  b_mid_grad_.add_(grad_rows.sum(0));
}

// The gradient of the hidden layer becomes that of mid, in place. The gate itself passes none.
void LayerTrainer::BackwardThroughHidden(const at::Tensor& mid, const at::Tensor& gradient) const {
  at::Tensor out = gradient;
  const std::string& activation = model_->config().activation_function;
  if (midcoder_.gate() == MidGate::kRelu || activation == "relu") {
    at::threshold_backward_out(out, gradient, mid, 0);
  } else {
    at::gelu_backward_out(out, gradient, mid, activation == "gelu_new" ? "tanh" : "none");
  }
}

LayerLosses LayerTrainer::Losses() const {
  const at::Tensor squares = squares_.cpu();
  const double* sums = squares.const_data_ptr<double>();
  const double mid_count = static_cast<double>(rows_ * model_->config().d_mlp);
  const double out_count = static_cast<double>(rows_ * model_->config().d_model);
  return {sums[0] / mid_count, sums[1] / out_count, sums[2] / out_count};
}

void LayerTrainer::PrepareUpdate(const SparseActivations& batch) { transposed_ = Transpose(batch); }

void LayerTrainer::UpdateFeatures(const at::Tensor& grad_rows, int64_t begin, int64_t end,
                                  const AdamWSettings& settings) {
  SparseGradientAdamW(transposed_, grad_rows, begin, end, midcoder_.parameters().W_mid, exp_avg_.W_mid,
                      exp_avg_sq_.W_mid, settings);
}

void LayerTrainer::UpdateBiases(const AdamWSettings& settings) {
  const MidcoderParameters& parameters = midcoder_.parameters();
  AdamWUpdate(parameters.b_mid, exp_avg_.b_mid, exp_avg_sq_.b_mid, b_mid_grad_, settings);
  AdamWUpdate(parameters.b_mid_out, exp_avg_.b_mid_out, exp_avg_sq_.b_mid_out, b_mid_out_grad_, settings);
}

TensorMap LayerTrainer::StateTensors() const {
  TensorMap tensors;
  AddNamed(midcoder_.parameters(), "", tensors);
  AddNamed(exp_avg_, ".exp_avg", tensors);
  AddNamed(exp_avg_sq_, ".exp_avg_sq", tensors);
  return tensors;
}

}  // namespace superpose
