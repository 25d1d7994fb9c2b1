// A forward pass of sequences of different lengths without padding, from which some may leave before the end.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstddef>
#include <cstdint>
#include <vector>

#include "lib/model/block_workspace.h"
#include "lib/model/model.h"
#include "lib/model/token_batch.h"

namespace superpose {

// Rows are the tokens of all sequences, one sequence behind the other. All but attention goes over all rows at once. A
// row is what it would be with its sequence alone, but for rounding. May throw what LibTorch throws; sequences are ones
// that the model can take (CheckSequences), the model outlives this.
class PackedPass {
 public:
  PackedPass(const Model& model, const std::vector<const TokenSequence*>& sequences);

  // The attention of the next layer, from 0 on; returns what its MLP and its transcoders read, x_hat [rows, d_model].
  at::Tensor NextMlpInput();
  // The MLP of that layer, for the first `sequences` only: the others leave. `x_hat` is what NextMlpInput() returned.
  void FinishLayer(const at::Tensor& x_hat, size_t sequences);

 private:
  const Model& model_;
  std::vector<int64_t> lengths_;
  at::Tensor resid_;  // [rows, d_model]
  BlockWorkspace workspace_;
  int64_t layer_ = 0;
};

}  // namespace superpose
