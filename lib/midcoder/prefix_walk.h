#pragma once

#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>

#include <algorithm>
#include <cstdint>

#include "lib/model/model.h"

namespace superpose {

// Sequences that go through the model together: about 512 tokens, so that one block of a small model takes tens of
// milliseconds.
inline int64_t SequencesPerChunk(int64_t length) { return std::max<int64_t>(1, 512 / length); }

// Forward passes from the tokens on, one block at a time. From the second pass of a shape on nothing large is
// allocated, but what RunBlock() returns.
class PrefixWalk {
 public:
  // The model must outlive it.
  explicit PrefixWalk(const Model& model) : model_(model) {}

  // Begins with the tokens, int64 [sequences, positions] on the model's device.
  void Start(const at::Tensor& tokens) {
    const int64_t width = model_.config().d_model;
    resid_ = room_.Narrow(tokens.numel(), width, model_.tensor("W_E").options())
                 .view({tokens.size(0), tokens.size(1), width});
    model_.EmbedInto(tokens, resid_);
    next_layer_ = 0;
  }
  // From Start to Stop.
  bool running() const { return next_layer_ >= 0; }
  void Stop() { next_layer_ = -1; }

  int64_t next_layer() const { return next_layer_; }
  // For what else goes through blocks in turn with it.
  BlockWorkspace& workspace() { return workspace_; }

  // Runs the next block; what `keep` has receives the tensors around its MLP.
  void RunBlock(const MlpTensors& keep) { model_.RunBlock(next_layer_++, resid_, workspace_, keep); }

  // Runs the next block; returns the tensors around its MLP.
  MlpTensors RunBlock() {
    const auto empty = [&](int64_t width) {
      return at::empty({resid_.size(0), resid_.size(1), width}, resid_.options());
    };
    const int64_t d_model = model_.config().d_model;
    MlpTensors mlp{empty(d_model), empty(d_model), empty(model_.config().d_mlp), empty(d_model)};
    RunBlock(mlp);
    return mlp;
  }

 private:
  const Model& model_;
  BlockWorkspace room_;  // of the residual
  BlockWorkspace workspace_;
  at::Tensor resid_;
  int64_t next_layer_ = -1;
};

}  // namespace superpose
