#include "lib/model/model.h"

#include <ATen/ATen.h>

#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/lib/model/lens_weights.h"
#include "tests/status_matchers.h"
#include "tests/support/golden.h"

namespace superpose {
namespace {

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;
// The residual stream reaches 12, where neighbouring float32 lie 1e-6 apart.
constexpr double kResidualError = 1.2e-5;
constexpr int64_t kLayers = 3, kHeads = 4, kDModel = 32, kVocabulary = 256;

class ModelTest : public testing::Test {
 protected:
  void SetUp() override {
    model_ = GoldenModel();
    ASSERT_TRUE(model_);
    forward_ = GoldenTensors("tiny_forward_f32.safetensors");
    tokens_ = forward_.at("tokens");
  }
  at::Tensor Expected(int64_t layer, const std::string& name) const {
    return forward_.at(absl::StrCat("blocks.", layer, ".", name));
  }
  at::Tensor Forward(const at::Tensor& tokens, const Model::MlpReplacement& replace = nullptr) const {
    auto resid = model_->Run(tokens, replace);
    EXPECT_OK(resid);
    return resid.ok() ? *resid : at::Tensor();
  }

  std::shared_ptr<const Model> model_;
  TensorMap forward_;
  at::Tensor tokens_;
};

TEST_F(ModelTest, WeightsAreProcessedAsTheReferenceProcessesThem) {
  const TensorMap golden = GoldenTensors("tiny_tl_processed.safetensors");
  TensorMap expected = LensEmbeddings(golden);
  for (int64_t layer = 0; layer < kLayers; ++layer) expected.merge(LensLayer(golden, layer));
  EXPECT_EQ(model_->tensors().size(), expected.size());
  for (const auto& [name, tensor] : expected) {
    ASSERT_TRUE(model_->tensors().count(name)) << name;
    EXPECT_LT(LargestError(model_->tensor(name), tensor), 1e-6) << name;
    EXPECT_EQ(model_->tensor(name).scalar_type(), at::kFloat) << name;
  }
}

TEST_F(ModelTest, LogitsEqualTheReferenceUpToOneConstantAPosition) {
  const at::Tensor actual = model_->LogProbabilities(Forward(tokens_).flatten(0, 1)).to(at::kDouble);
  const at::Tensor logits = GoldenTensors("tiny_forward_f64.safetensors").at("logits").flatten(0, 1);
  const at::Tensor difference = actual - logits;
  EXPECT_LT((difference - difference.mean({1}, true)).abs().max().item<double>(), 4e-6);
}

TEST_F(ModelTest, LogProbabilitiesSumToOne) {
  const at::Tensor total = model_->LogProbabilities(Forward(tokens_).flatten(0, 1)).to(at::kDouble).exp().sum({1});
  EXPECT_LT(LargestError(total, at::ones_like(total)), 1e-5);
}

TEST_F(ModelTest, LossOfEveryTokenEqualsTheReference) {
  ASSERT_OK_AND_ASSIGN(const at::Tensor loss, model_->LossPerToken(Forward(tokens_), tokens_));
  EXPECT_LT(LargestError(loss, forward_.at("ce_per_token")), 4e-6);
  const TensorMap exact = GoldenTensors("tiny_forward_f64.safetensors");
  EXPECT_LT(LargestError(loss, exact.at("ce_per_token")), 4e-6);
  EXPECT_NEAR(loss.mean().item<double>(), exact.at("ce_mean").item<double>(), 1e-6);
}

TEST_F(ModelTest, LossGoesByTilesWithoutLosingARow) {
  // 11 sequences of 64 tokens: 693 predictions, more than two tiles and no whole number of them.
  const at::Tensor many = tokens_.repeat({6, 1}).slice(0, 0, 11);
  ASSERT_OK_AND_ASSIGN(const at::Tensor loss, model_->LossPerToken(Forward(many), many));
  const at::Tensor expected = forward_.at("ce_per_token").repeat({6, 1}).slice(0, 0, 11);
  EXPECT_LT(LargestError(loss, expected), 4e-6);
}

// Whoever shares a batch with others sees nothing of them: neither sequences beside, nor what comes behind.
TEST_F(ModelTest, BitsDependOnTheTokensUpToAPositionAlone) {
  const at::Tensor whole = Forward(tokens_);
  for (int64_t sequence = 0; sequence < tokens_.size(0); ++sequence) {
    for (int64_t positions : {1, 5, 30, 63}) {
      const at::Tensor alone = tokens_.narrow(0, sequence, 1).narrow(1, 0, positions);
      EXPECT_TRUE(at::equal(Forward(alone)[0], whole[sequence].narrow(0, 0, positions))) << positions;
    }
  }
  const at::Tensor many = tokens_.repeat({20, 1});  // more than what goes through the blocks together
  ASSERT_OK_AND_ASSIGN(const MlpTensors mlp, model_->RunToMlp(tokens_, 1));
  ASSERT_OK_AND_ASSIGN(const MlpTensors of_many, model_->RunToMlp(many, 1));
  EXPECT_TRUE(at::equal(of_many.out, mlp.out.repeat({20, 1, 1})));
  EXPECT_TRUE(at::equal(of_many.pre, mlp.pre.repeat({20, 1, 1})));
}

TEST_F(ModelTest, OneTokenHasNoLoss) {
  const at::Tensor one = tokens_.slice(1, 0, 1);
  ASSERT_OK_AND_ASSIGN(const at::Tensor loss, model_->LossPerToken(Forward(one), one));
  EXPECT_EQ(loss.sizes(), at::IntArrayRef({2, 0}));
}

TEST_F(ModelTest, RunToMlpGivesWhatTheReferenceSeesAtEveryLayer) {
  for (int64_t layer = 0; layer < kLayers; ++layer) {
    ASSERT_OK_AND_ASSIGN(const MlpTensors mlp, model_->RunToMlp(tokens_, layer));
    EXPECT_LT(LargestError(mlp.x_hat, Expected(layer, "ln2.hook_normalized")), 4e-6) << layer;
    EXPECT_LT(LargestError(mlp.pre, Expected(layer, "mlp.hook_pre")), 4e-6) << layer;
    EXPECT_LT(LargestError(mlp.out, Expected(layer, "hook_mlp_out")), 4e-6) << layer;
    const at::Tensor resid_mid = Expected(layer, "hook_resid_post") - Expected(layer, "hook_mlp_out");
    EXPECT_LT(LargestError(mlp.resid_mid, resid_mid), kResidualError) << layer;
  }
}

TEST_F(ModelTest, RunFromGoesOnWhereRunToMlpStopped) {
  const at::Tensor whole = Forward(tokens_);
  EXPECT_LT(LargestError(whole, Expected(kLayers - 1, "hook_resid_post")), kResidualError);
  for (int64_t layer = 0; layer < kLayers; ++layer) {
    ASSERT_OK_AND_ASSIGN(const MlpTensors mlp, model_->RunToMlp(tokens_, layer));
    ASSERT_OK_AND_ASSIGN(const at::Tensor resid, model_->RunFrom(layer, mlp.resid_mid, mlp.out));
    EXPECT_LT(LargestError(resid, whole), 1e-6) << layer;
  }
}

TEST_F(ModelTest, RunShowsEveryLayersMlpAndKeepsWhatIsNotReplaced) {
  std::vector<int64_t> seen;
  const at::Tensor resid = Forward(tokens_, [&](int64_t layer, const MlpTensors& mlp) {
    seen.push_back(layer);
    EXPECT_LT(LargestError(mlp.x_hat, Expected(layer, "ln2.hook_normalized")), 4e-6);
    return at::Tensor();
  });
  EXPECT_EQ(seen, (std::vector<int64_t>{0, 1, 2}));
  EXPECT_TRUE(at::equal(resid, Forward(tokens_)));
}

TEST_F(ModelTest, AReplacedOutputIsWhatTheNextLayersRead) {
  const at::Tensor resid = Forward(tokens_, [](int64_t layer, const MlpTensors& mlp) {
    return layer == 1 ? at::zeros_like(mlp.out) : at::Tensor();
  });
  ASSERT_OK_AND_ASSIGN(const MlpTensors mlp, model_->RunToMlp(tokens_, 1));
  ASSERT_OK_AND_ASSIGN(const at::Tensor expected, model_->RunFrom(1, mlp.resid_mid, at::zeros_like(mlp.out)));
  EXPECT_LT(LargestError(resid, expected), 1e-6);
  EXPECT_GT(LargestError(resid, Forward(tokens_)), 1e-2);
}

TEST_F(ModelTest, AReplacementInTheLastLayerIsAddedToTheResidual) {
  const at::Tensor resid = Forward(tokens_, [](int64_t layer, const MlpTensors& mlp) {
    return layer == kLayers - 1 ? at::ones_like(mlp.out) : at::Tensor();
  });
  const at::Tensor expected = Expected(kLayers - 1, "hook_resid_post") - Expected(kLayers - 1, "hook_mlp_out") + 1;
  EXPECT_LT(LargestError(resid, expected), kResidualError);
}

TEST_F(ModelTest, AReplacementOfTheWrongShapeIsAnErrorAndNoException) {
  auto resid = model_->Run(tokens_, [](int64_t, const MlpTensors&) { return at::zeros({7, 5}); });
  EXPECT_FALSE(resid.ok());
}

TEST_F(ModelTest, LaterTokensDoNotReachEarlierPositions) {
  at::Tensor changed = tokens_.clone();
  changed.slice(1, 40).fill_(3);
  const at::Tensor resid = Forward(tokens_), other = Forward(changed);
  EXPECT_LT(LargestError(other.slice(1, 0, 40), resid.slice(1, 0, 40)), 1e-6);
  EXPECT_GT(LargestError(other.slice(1, 40), resid.slice(1, 40)), 1e-2);
}

TEST_F(ModelTest, TokensMayBeInt32OrInt64) {
  EXPECT_TRUE(at::equal(Forward(tokens_.to(at::kInt)), Forward(tokens_.to(at::kLong))));
}

TEST_F(ModelTest, TokensThatItCannotTakeAreNamed) {
  EXPECT_THAT(model_->CheckTokens(tokens_.to(at::kFloat)), IsError(kInvalid, reason::kConfigInvalid));
  EXPECT_THAT(model_->CheckTokens(tokens_[0]), IsError(kInvalid, reason::kConfigInvalid));
  EXPECT_THAT(model_->CheckTokens(at::empty({0, 5}, at::kLong)), IsError(kInvalid, reason::kEmptyInput));
  EXPECT_THAT(model_->CheckTokens(at::empty({3, 0}, at::kLong)), IsError(kInvalid, reason::kEmptyInput));
  const absl::Status long_sequence = model_->CheckTokens(at::zeros({1, 65}, at::kLong));
  EXPECT_THAT(long_sequence, IsError(kInvalid, reason::kContextExceeded));
  EXPECT_THAT(long_sequence, MessageHas("65 tokens"));
  for (const int64_t id : {int64_t{-1}, kVocabulary, int64_t{1} << 40}) {
    at::Tensor tokens = at::zeros({2, 4}, at::kLong);
    tokens[1][2] = id;
    const absl::Status status = model_->CheckTokens(tokens);
    EXPECT_THAT(status, IsError(kInvalid, reason::kTokenOutOfRange));
    EXPECT_THAT(status, MessageHas(absl::StrCat("sequence 1, position 2: token id ", id)));
  }
}

TEST_F(ModelTest, TokensAtTheEdgesAreTaken) {
  EXPECT_OK(model_->CheckTokens(at::zeros({1, 64}, at::kLong)));
  EXPECT_OK(model_->CheckTokens(at::full({1, 1}, kVocabulary - 1, at::kInt)));
}

TEST_F(ModelTest, EveryEntryPointChecksTokensAndLayers) {
  const at::Tensor wrong = at::full({1, 4}, kVocabulary, at::kLong);
  EXPECT_THAT(model_->Run(wrong), IsError(kInvalid, reason::kTokenOutOfRange));
  EXPECT_THAT(model_->RunToMlp(wrong, 0), IsError(kInvalid, reason::kTokenOutOfRange));
  EXPECT_THAT(model_->LossPerToken(at::zeros({1, 4, kDModel}), wrong), IsError(kInvalid, reason::kTokenOutOfRange));
  for (const int64_t layer : {int64_t{-1}, kLayers}) {
    EXPECT_THAT(model_->RunToMlp(tokens_, layer), IsError(kInvalid, reason::kLayerOutOfRange));
    const at::Tensor resid = at::zeros({1, 4, kDModel});
    EXPECT_THAT(model_->RunFrom(layer, resid, resid), IsError(kInvalid, reason::kLayerOutOfRange));
  }
  EXPECT_OK(model_->CheckLayer(kLayers - 1));
  EXPECT_EQ(model_->config().n_heads, kHeads);
}

}  // namespace
}  // namespace superpose
