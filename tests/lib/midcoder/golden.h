// The golden model, transcoder and token batches (tests/data/golden), and helpers to compare with them.
#pragma once

#include <ATen/ATen.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "lib/corpus/corpus.h"
#include "lib/midcoder/trainer.h"
#include "lib/model/model.h"
#include "lib/tensor_io/safetensors.h"
#include "lib/transcoder/transcoder.h"

namespace superpose {

inline std::string GoldenPath(const std::string& name) { return std::string(SUPERPOSE_TEST_DATA "/golden/") + name; }

inline TensorMap GoldenTensors(const std::string& name) {
  auto file = SafetensorsFile::Open(GoldenPath(name));
  EXPECT_TRUE(file.ok()) << file.status().ToString();
  return file.ok() ? file->tensors() : TensorMap();
}

inline std::shared_ptr<const Model> GoldenModel() {
  auto model = Model::Load(GoldenPath("model"), at::kCPU);
  EXPECT_TRUE(model.ok()) << model.status().ToString();
  return model.ok() ? *model : nullptr;
}

inline std::shared_ptr<const Transcoder> GoldenTranscoder() {
  auto transcoder =
      Transcoder::Load({.path = GoldenPath("tiny_transcoder_dunefsky.pt"), .log_sparsity_path = ""}, at::kCPU);
  EXPECT_TRUE(transcoder.ok()) << transcoder.status().ToString();
  return transcoder.ok() ? *transcoder : nullptr;
}

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

inline double RelativeError(const at::Tensor& actual, const at::Tensor& expected) {
  const at::Tensor wanted = expected.to(at::kDouble);
  return ((actual.to(at::kDouble) - wanted).norm() / wanted.norm().clamp_min(1e-300)).item<double>();
}

}  // namespace superpose
