// Models of other sizes and settings as transformers saves and computes them (tests/data/model, made by its
// make_fixtures.py).
#include <ATen/ATen.h>

#include "absl/strings/str_cat.h"
#include "lib/model/model.h"
#include "tests/status_matchers.h"
#include "tests/support/golden.h"

namespace superpose {
namespace {

class ModelAgainstTransformersTest : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    const std::string folder = absl::StrCat(SUPERPOSE_TEST_DATA "/model/", GetParam());
    ASSERT_OK_AND_ASSIGN(model_, Model::Load(folder, at::kCPU));
    ASSERT_OK_AND_ASSIGN(SafetensorsFile file, SafetensorsFile::Open(folder + "/expected.safetensors"));
    expected_ = file.tensors();
    tokens_ = expected_.at("tokens");
  }

  std::shared_ptr<const Model> model_;
  TensorMap expected_;
  at::Tensor tokens_;
};

TEST_P(ModelAgainstTransformersTest, LogProbabilitiesAndLossesAreEqual) {
  ASSERT_OK_AND_ASSIGN(const at::Tensor resid, model_->Run(tokens_));
  const at::Tensor log_probabilities = model_->LogProbabilities(resid.flatten(0, 1));
  EXPECT_LT(LargestError(log_probabilities, expected_.at("log_probabilities").flatten(0, 1)), 1e-5);
  ASSERT_OK_AND_ASSIGN(const at::Tensor loss, model_->LossPerToken(resid, tokens_));
  EXPECT_LT(LargestError(loss, expected_.at("loss")), 1e-5);
}

TEST_P(ModelAgainstTransformersTest, TheTensorsAroundEveryMlpAreEqual) {
  for (int64_t layer = 0; layer < model_->config().n_layers; ++layer) {
    ASSERT_OK_AND_ASSIGN(const MlpTensors mlp, model_->RunToMlp(tokens_, layer));
    auto expected = [&](const char* name) { return expected_.at(absl::StrCat(layer, ".", name)); };
    EXPECT_LT(LargestError(mlp.resid_mid, expected("resid_mid")), 1e-5) << layer;
    EXPECT_LT(LargestError(mlp.x_hat, expected("x_hat")), 1e-5) << layer;
    EXPECT_LT(LargestError(mlp.pre, expected("pre")), 1e-5) << layer;
    EXPECT_LT(LargestError(mlp.out, expected("out")), 1e-5) << layer;
  }
}

TEST_P(ModelAgainstTransformersTest, TheConfigIsTheOneThatWasSaved) {
  const ModelConfig& config = model_->config();
  EXPECT_EQ(config.bos_token_id, config.vocab_size - 1);
  EXPECT_EQ(config.eos_token_id, config.vocab_size - 2);
  EXPECT_EQ(config.n_positions, tokens_.size(1));
  EXPECT_EQ(config.vocab_size, expected_.at("log_probabilities").size(2));
  EXPECT_EQ(config.d_mlp, expected_.at("0.pre").size(2));
  EXPECT_EQ(config.d_model, expected_.at("0.out").size(2));
}

INSTANTIATE_TEST_SUITE_P(Saved, ModelAgainstTransformersTest, testing::Values("shards", "untied", "bare"),
                         [](const auto& info) { return std::string(info.param); });

}  // namespace
}  // namespace superpose
