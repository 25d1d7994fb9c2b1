// One layer's midcoder in training: parameters, moments, and the exact gradient of its loss, in pieces.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>

#include "lib/kernels/sparse_ops.h"
#include "lib/midcoder/midcoder.h"
#include "lib/model/model.h"
#include "lib/transcoder/sparse_activations.h"
#include "lib/transcoder/transcoder.h"

namespace superpose {

// One layer's MLP for the rows (tokens) of a batch.
struct MlpRows {
  at::Tensor x_hat;  // [rows, d_model]
  at::Tensor pre;    // [rows, d_mlp]
  at::Tensor out;    // [rows, d_model]
};

struct LayerLosses {
  double mse_mid = 0;             // mean over rows and d_mlp of (mid - pre)^2
  double mse_out = 0;             // mean over rows and d_model of (mlp_out - out)^2
  double mse_out_transcoder = 0;  // the same for the transcoder's own output
};

// loss = mse_mid + mse_out_param * mse_out. A step is BeginStep, RunTile over all rows, PrepareUpdate, UpdateFeatures
// over all features, UpdateBiases. May throw what LibTorch throws.
class LayerTrainer {
 public:
  LayerTrainer(std::shared_ptr<const Model> model, std::shared_ptr<const Transcoder> transcoder, Midcoder midcoder,
               double mse_out_param);

  const Midcoder& midcoder() const { return midcoder_; }
  const Transcoder& transcoder() const { return *transcoder_; }
  int64_t mid_width() const { return midcoder_.parameters().b_mid.numel(); }

  void BeginStep(int64_t rows);
  // Forward and backward of some rows of the batch. grad_rows [rows of the tile, mid_width] receives the gradient of z
  // W_mid + b_mid, and kept_mid [.., d_mlp], where it is defined, mid.
  void RunTile(const SparseActivations& activations, const MlpRows& targets, const at::Tensor& grad_rows,
               const at::Tensor& kept_mid = {});
  LayerLosses Losses() const;
  void PrepareUpdate(const SparseActivations& batch);
  void UpdateFeatures(const at::Tensor& grad_rows, int64_t begin, int64_t end, const AdamWSettings& settings);
  void UpdateBiases(const AdamWSettings& settings);

  // Live tensors by name: each parameter, and its moments as "<parameter>.exp_avg" and "<parameter>.exp_avg_sq".
  TensorMap StateTensors() const;

 private:
  void BackwardThroughHidden(const at::Tensor& mid, const at::Tensor& gradient) const;

  std::shared_ptr<const Model> model_;
  std::shared_ptr<const Transcoder> transcoder_;
  Midcoder midcoder_;
  MidcoderParameters exp_avg_;
  MidcoderParameters exp_avg_sq_;
  at::Tensor b_mid_grad_;
  at::Tensor b_mid_out_grad_;
  at::Tensor squares_;  // float64 [3]: sums of squared errors of mid, out, transcoder's out
  double mse_out_param_;
  int64_t rows_ = 0;
  TransposedActivations transposed_;
};

}  // namespace superpose
