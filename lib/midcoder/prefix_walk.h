#pragma once

#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>

#include <algorithm>
#include <cstdint>

#include "lib/model/model.h"

namespace superpose {

// Sequences that go through the model together: about 512 tokens, so that one block of a small model takes tens of
// milliseconds.
inline int64_t SequencesPerChunk(int64_t length) { return std::max<int64_t>(1, 512 / length); }

// A forward pass from the tokens on, one block at a time.
class PrefixWalk {
 public:
  PrefixWalk(const Model& model, const at::Tensor& tokens) : model_(model), resid_(model.Embed(tokens)) {}

  int64_t next_layer() const { return next_layer_; }

  // Runs the next block; returns the tensors around its MLP.
  MlpTensors RunBlock() {
    MlpTensors mlp = model_.ToMlp(next_layer_++, resid_);
    resid_ = mlp.resid_mid + mlp.out;
    return mlp;
  }

 private:
  const Model& model_;
  at::Tensor resid_;
  int64_t next_layer_ = 0;
};

}  // namespace superpose
