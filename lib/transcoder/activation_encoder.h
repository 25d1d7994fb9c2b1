#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "lib/transcoder/sparse_activations.h"
#include "lib/transcoder/transcoder.h"

namespace superpose {

// Encodes rows tile by tile, so that a caller can give way in between. Nothing dense outlives a tile. May throw what
// LibTorch throws.
class ActivationEncoder {
 public:
  // Rows of pre-activations that exist at once: 256 x 24,576 float32 are 25 MB.
  static constexpr int64_t kTileRows = 256;

  // x_hat: float32 [rows, d_model] on the transcoder's device. Both must outlive the encoder.
  ActivationEncoder(const Transcoder& transcoder, const at::Tensor& x_hat);

  bool done() const { return next_row_ >= x_hat_.size(0); }
  void EncodeNextTile();
  // All rows' activations; only when done().
  SparseActivations Take();

 private:
  const Transcoder& transcoder_;
  const at::Tensor x_hat_;
  at::Tensor pre_activations_;  // [tile, d_sae], reused
  at::Tensor thresholds_;       // [d_sae], not negative; undefined for relu
  int64_t next_row_ = 0;
  std::vector<SparseActivations> tiles_;
};

}  // namespace superpose
