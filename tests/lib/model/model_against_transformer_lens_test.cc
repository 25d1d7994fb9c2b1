// Models of other sizes and settings as TransformerLens 2.18.0 processes and runs them (tests/data/model, made by its
// make_fixtures.py): computed there in float64 and rounded to float32.
#include <ATen/ATen.h>

#include "absl/strings/str_cat.h"
#include "lib/model/model.h"
#include "tests/lib/model/lens_weights.h"
#include "tests/status_matchers.h"
#include "tests/support/golden.h"

namespace superpose {
namespace {

// Both process in float64, so weights differ by one rounding; the largest weight is under 4, where neighbouring float32
// lie 2.4e-7 apart.
constexpr double kWeightError = 2.5e-7;
// Our forward pass is float32; the values reach 11.
constexpr double kActivationError = 1e-5;

class ModelAgainstTransformerLensTest : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    const std::string folder = absl::StrCat(SUPERPOSE_TEST_DATA "/model/", GetParam());
    ASSERT_OK_AND_ASSIGN(model_, Model::Load(folder, at::kCPU));
    lens_ = Read(folder + "/transformer_lens.safetensors");
    tokens_ = Read(folder + "/expected.safetensors")["tokens"];
    ASSERT_TRUE(tokens_.defined());
  }

  static TensorMap Read(const std::string& path) {
    auto file = SafetensorsFile::Open(path);
    EXPECT_OK(file);
    return file.ok() ? file->tensors() : TensorMap();
  }
  // The fixtures hold the first and the last layer.
  std::vector<int64_t> Layers() const {
    const int64_t last = model_->config().n_layers - 1;
    return last == 0 ? std::vector<int64_t>{0} : std::vector<int64_t>{0, last};
  }
  void ExpectWeights(const TensorMap& expected) const {
    for (const auto& [name, tensor] : expected) {
      ASSERT_TRUE(model_->tensors().count(name)) << name;
      EXPECT_LT(LargestError(model_->tensor(name), tensor), kWeightError) << name;
    }
  }

  std::shared_ptr<const Model> model_;
  TensorMap lens_;
  at::Tensor tokens_;
};

TEST_P(ModelAgainstTransformerLensTest, WeightsAreProcessedAlike) {
  ExpectWeights(LensEmbeddings(lens_));
  for (const int64_t layer : Layers()) ExpectWeights(LensLayer(lens_, layer));
}

TEST_P(ModelAgainstTransformerLensTest, TheHooksAroundTheMlpSeeTheSame) {
  for (const int64_t layer : Layers()) {
    ASSERT_OK_AND_ASSIGN(const MlpTensors mlp, model_->RunToMlp(tokens_, layer));
    auto hook = [&](const char* name) { return lens_.at(absl::StrCat("blocks.", layer, ".", name)); };
    EXPECT_LT(LargestError(mlp.x_hat, hook("ln2.hook_normalized")), kActivationError) << layer;
    EXPECT_LT(LargestError(mlp.pre, hook("mlp.hook_pre")), kActivationError) << layer;
    EXPECT_LT(LargestError(mlp.out, hook("hook_mlp_out")), kActivationError) << layer;
  }
}

INSTANTIATE_TEST_SUITE_P(Saved, ModelAgainstTransformerLensTest, testing::Values("shards", "untied", "bare"),
                         [](const auto& info) { return std::string(info.param); });

}  // namespace
}  // namespace superpose
