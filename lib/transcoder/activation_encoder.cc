#include "lib/transcoder/activation_encoder.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "lib/transcoder/compress.h"

namespace superpose {
ActivationEncoder::ActivationEncoder(const Transcoder& transcoder, const at::Tensor& x_hat)
    : transcoder_(transcoder), x_hat_(x_hat) {
  int64_t tile = std::min(kTileRows, x_hat.size(0));
  pre_activations_ = at::empty({tile, transcoder.d_sae()}, x_hat.options());
  if (transcoder.convention().activation == TranscoderActivation::kJumpRelu) {
    thresholds_ = transcoder.tensor("threshold").clamp_min(0);
  }
}

void ActivationEncoder::EncodeNextTile() {
  int64_t end = std::min(next_row_ + kTileRows, x_hat_.size(0));
  at::Tensor tile = pre_activations_.slice(0, 0, end - next_row_);
  at::Tensor centred = x_hat_.slice(0, next_row_, end) - transcoder_.tensor("b_dec");
  at::addmm_out(tile, transcoder_.tensor("b_enc"), centred, transcoder_.tensor("W_enc"));
  tiles_.push_back(thresholds_.defined() ? CompressAbove(tile, thresholds_) : CompressPositive(tile));
  next_row_ = end;
}

SparseActivations ActivationEncoder::Take() {
  if (!tiles_.empty()) return ConcatenateRows(tiles_);
  at::TensorOptions options = x_hat_.options();
  return {at::zeros({1}, options.dtype(at::kLong)), at::empty({0}, options.dtype(at::kInt)), at::empty({0}, options),
          transcoder_.d_sae()};
}

}  // namespace superpose
