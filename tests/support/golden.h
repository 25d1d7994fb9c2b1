// The golden model and transcoder (tests/data/golden), and helpers to compare with them.
#pragma once

#include <ATen/ATen.h>

#include <cmath>
#include <memory>
#include <string>

#include "gtest/gtest.h"
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

inline std::shared_ptr<const Model> GoldenModel(at::Device device = at::kCPU) {
  auto model = Model::Load(GoldenPath("model"), device);
  EXPECT_TRUE(model.ok()) << model.status().ToString();
  return model.ok() ? *model : nullptr;
}

inline std::shared_ptr<const Transcoder> GoldenTranscoder(at::Device device = at::kCPU) {
  auto transcoder =
      Transcoder::Load({.path = GoldenPath("tiny_transcoder_dunefsky.pt"), .log_sparsity_path = ""}, device);
  EXPECT_TRUE(transcoder.ok()) << transcoder.status().ToString();
  return transcoder.ok() ? *transcoder : nullptr;
}

inline double RelativeError(const at::Tensor& actual, const at::Tensor& expected) {
  const at::Tensor wanted = expected.cpu().to(at::kDouble);
  return ((actual.cpu().to(at::kDouble) - wanted).norm() / wanted.norm().clamp_min(1e-300)).item<double>();
}

inline double LargestError(const at::Tensor& actual, const at::Tensor& expected) {
  if (actual.sizes() != expected.sizes()) return HUGE_VAL;
  if (actual.numel() == 0) return 0;
  return (actual.cpu().to(at::kDouble) - expected.cpu().to(at::kDouble)).abs().max().item<double>();
}

}  // namespace superpose
