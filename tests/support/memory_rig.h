// A model and transcoders of chosen shapes, large enough that their tensors are most of what is allocated.
#pragma once

#include <ATen/ATen.h>

#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "lib/model/model.h"
#include "lib/transcoder/transcoder.h"
#include "lib/transcoder/transcoder_memory.h"
#include "tests/support/synthetic_files.h"

namespace superpose {

// Biases of every feature, of which pre-activations are about 1 from 0.
inline constexpr double kFewActive = -2.3;
inline constexpr double kAllActive = 10;

class MemoryRig : public testing::Test {
 protected:
  // Before the model is first asked for.
  void set_vocab_size(int64_t vocab_size) { vocab_size_ = vocab_size; }

  // d_model 128, d_mlp 512, 2 layers.
  std::shared_ptr<const Model> model() {
    if (model_ != nullptr) return model_;
    ModelConfig config;
    config.d_model = 128;
    config.d_mlp = 512;
    config.n_layers = 2;
    config.n_heads = 4;
    config.n_positions = 256;
    config.vocab_size = vocab_size_;
    WriteModelFolder(folder_, config);
    auto loaded = Model::Load(folder_.path(), at::kCPU);
    EXPECT_OK(loaded);
    if (loaded.ok()) model_ = *std::move(loaded);
    return model_;
  }

  std::shared_ptr<const Transcoder> MakeTranscoder(int64_t d_sae, double bias) {
    const std::string name = absl::StrCat("transcoder", ++made_, ".pt");
    auto loaded = Transcoder::Load({WriteTranscoderFile(folder_, name, 128, d_sae, bias), ""}, at::kCPU);
    EXPECT_OK(loaded);
    return loaded.ok() ? *std::move(loaded) : nullptr;
  }

  static TranscoderShape ShapeOf(int64_t d_sae, double bias) {
    // A normal variable is above 2.3 in 1.07% of cases.
    const double fraction = bias == kAllActive ? 1 : 0.0107;
    return {.d_model = 128, .d_sae = d_sae, .active_features = fraction * static_cast<double>(d_sae)};
  }

  const TestFolder& folder() const { return folder_; }

 private:
  TestFolder folder_;
  int64_t vocab_size_ = 300;
  int made_ = 0;
  std::shared_ptr<const Model> model_;
};

}  // namespace superpose
