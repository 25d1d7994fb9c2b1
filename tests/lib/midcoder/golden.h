// The golden token batches (tests/data/golden) and how the golden midcoders were trained.
#pragma once

#include <ATen/ATen.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "lib/corpus/corpus.h"
#include "lib/midcoder/trainer.h"
#include "lib/tensor_io/safetensors.h"
#include "tests/support/golden.h"

namespace superpose {

class TensorSequences : public TokenSequences {
 public:
  explicit TensorSequences(at::Tensor tokens) : tokens_(std::move(tokens)) {}
  int64_t count() const override { return tokens_.size(0); }
  int64_t length() const override { return tokens_.size(1); }
  at::Tensor Gather(const std::vector<int64_t>& indices) const override {
    return tokens_.index_select(0, at::tensor(indices, at::kLong));
  }

 private:
  at::Tensor tokens_;
};

// The 52 batches of 8 sequences of 32 tokens, one below the other: [416, 32]. All start with BOS.
inline at::Tensor GoldenTokens() {
  return GoldenTensors("tiny_transcoder.safetensors").at("batches").to(at::kLong).flatten(0, 1);
}
inline std::shared_ptr<const TokenSequences> Sequences(const at::Tensor& tokens) {
  return std::make_shared<TensorSequences>(tokens);
}

// How the golden midcoders were trained.
inline TrainerConfig GoldenConfig(MidForm form) {
  TrainerConfig config;
  config.form = form;
  config.layers = {1};
  config.steps = 50;
  config.batch_size = 8;
  config.order = SequenceOrder::kSequential;
  return config;
}

inline TensorMap WithoutPrefix(const TensorMap& tensors, const std::string& prefix) {
  TensorMap result;
  for (const auto& [name, tensor] : tensors) {
    if (name.rfind(prefix, 0) == 0) result[name.substr(prefix.size())] = tensor;
  }
  return result;
}

}  // namespace superpose
