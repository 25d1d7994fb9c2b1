#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "lib/transcoder/sparse_activations.h"
#include "lib/transcoder/transcoder.h"

namespace superpose {

// Encodes tile by tile, so that a caller can give way in between. Nothing dense outlives a tile. A tile is many rows of
// few features, since a matrix product's time goes up with how often it has to read all of W_enc. May throw what
// LibTorch throws.
class ActivationEncoder {
 public:
  // Rows whose features are encoded one after the other.
  static constexpr int64_t kMostRows = 4096;
  // Features of a tile of `rows` rows: as many as give 2^21 pre-activations, 8 MB, which stay in cache; 512 or more.
  static int64_t TileFeatures(int64_t rows, int64_t d_sae);

  // x_hat: float32 [rows, d_model] on the transcoder's device. Both must outlive the encoder.
  ActivationEncoder(const Transcoder& transcoder, const at::Tensor& x_hat);

  bool done() const { return next_row_ >= x_hat_.size(0); }
  void EncodeNextTile();
  // All rows' activations; only when done().
  SparseActivations Take();

 private:
  // Rows from next_row_ on, without the input's bias.
  at::Tensor NextRows(int64_t most) const;
  // All of their features at once.
  void AddRows(SparseActivations z);
  bool EncodeFiltered();
  void EncodeOnDevice();
  void EncodeDense();

  const Transcoder& transcoder_;
  const at::Tensor x_hat_;
  bool uses_prefilter_ = false;
  int64_t next_row_ = 0;
  std::vector<SparseActivations> done_rows_;

  // Of the rows that are being encoded in parts.
  at::Tensor centred_;   // float32 [rows, d_model]; undefined between them
  at::Tensor products_;  // float32, a tile's; reused
  int64_t next_feature_ = 0;
  std::vector<SparseActivations> parts_;
};

}  // namespace superpose
