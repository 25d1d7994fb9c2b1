// The self-test on transcoders that were fitted to layer 1 of the golden model (tests/data/transcoder/saelens).
#include "lib/transcoder/self_test.h"

#include <ATen/ATen.h>

#include <cmath>

#include "tests/status_matchers.h"
#include "tests/support/golden.h"

namespace superpose {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr int64_t kLayer = 1, kBos = 255, kSequences = 8, kPositions = 64;

class SelfTestTest : public testing::Test {
 protected:
  void SetUp() override {
    model_ = GoldenModel();
    ASSERT_TRUE(model_);
    ASSERT_EQ(model_->config().bos_token_id, kBos);
    // Every id 0 .. 254 about twice, mixed; a BOS before each sequence.
    tokens_ = at::arange(kSequences * kPositions, at::kLong).mul(97).remainder(kBos).view({kSequences, kPositions});
    tokens_.select(1, 0).fill_(kBos);
  }
  absl::StatusOr<SelfTester> Tester() const { return SelfTester::Create(*model_, kLayer, tokens_); }
  static TranscoderFile Read(const std::string& name) {
    auto file = ReadTranscoderFile({std::string(SUPERPOSE_TEST_DATA "/transcoder/saelens/") + name, ""});
    EXPECT_OK(file);
    return file.ok() ? *file : TranscoderFile();
  }
  SelfTest Run(const TranscoderFile& file) const {
    const auto tester = Tester();
    EXPECT_OK(tester);
    const auto transcoder = Transcoder::Create(file, model_->mlp_norm(kLayer), at::kCPU);
    EXPECT_OK(transcoder);
    const auto test = tester->Run(file, **transcoder);
    EXPECT_OK(test);
    return test.ok() ? *test : SelfTest();
  }
  static const SelfTestFigures* Find(const SelfTest& test, const std::string& convention) {
    for (const SelfTestAlternate& alternate : test.alternates) {
      if (alternate.convention == convention) return &alternate.figures;
    }
    return nullptr;
  }

  std::shared_ptr<const Model> model_;
  at::Tensor tokens_;
};

TEST_F(SelfTestTest, RightReadingsBringNoWarning) {
  for (const char* name : {"transcoder", "skip_transcoder", "jumprelu_transcoder", "jumprelu_skip_transcoder",
                           "transcoder_folded", "jumprelu_skip_transcoder_folded", "scaled", "flat", "bfloat16"}) {
    SCOPED_TRACE(name);
    const SelfTest test = Run(Read(name));
    EXPECT_THAT(test.warning, IsEmpty());
    EXPECT_GT(test.figures.explained_variance, 0.8);
  }
}

TEST_F(SelfTestTest, FiguresAreThoseOfTheDenseFormula) {
  const TranscoderFile file = Read("jumprelu_skip_transcoder");
  const SelfTest test = Run(file);
  ASSERT_OK_AND_ASSIGN(const MlpTensors mlp, model_->RunToMlp(tokens_, kLayer));
  const auto rows = [](const at::Tensor& tensor) {
    return tensor.slice(1, 1).reshape({-1, tensor.size(-1)}).to(at::kDouble);
  };
  const auto tensor = [&](const char* name) { return file.tensors.at(name).to(at::kDouble); };
  const LayerNorm& norm = model_->mlp_norm(kLayer);
  const at::Tensor x = rows(mlp.x_hat) * norm.gain + norm.bias, y = rows(mlp.out);
  const at::Tensor pre = at::matmul(x, tensor("W_enc")) + tensor("b_enc");
  const at::Tensor z = pre.relu() * pre.gt(tensor("threshold"));
  at::Tensor out = at::matmul(z, tensor("W_dec")) + tensor("b_dec_out") + at::matmul(x, tensor("W_skip"));
  out = out - out.mean({1}, true);
  const double unexplained = ((y - out).square().sum() / (y - y.mean({0})).square().sum()).item<double>();
  EXPECT_EQ(test.figures.tokens, kSequences * (kPositions - 1));
  EXPECT_NEAR(test.figures.explained_variance, 1 - unexplained, 1e-5);
  EXPECT_NEAR(test.figures.l0, z.gt(0).sum().item<double>() / static_cast<double>(y.size(0)), 0.01);
  EXPECT_NEAR(test.figures.dead_fraction, 1 - z.gt(0).any(0).sum().item<double>() / 64, 1e-9);
}

TEST_F(SelfTestTest, ABosInAnotherPlaceIsAToken) {
  tokens_.select(1, 1).fill_(kBos);
  tokens_[0][0] = 5;
  EXPECT_EQ(Run(Read("transcoder")).figures.tokens, kSequences * (kPositions - 1) + 1);
}

TEST_F(SelfTestTest, AWrongInputIsNamed) {
  TranscoderFile after = Read("transcoder");
  after.convention.input = TranscoderInput::kBeforeGain;
  EXPECT_THAT(Run(after).warning, HasSubstr("input normalized_after_gain"));
  // Read("before_gain") is after the gain as long as nothing says otherwise.
  EXPECT_THAT(Run(Read("before_gain")).warning, HasSubstr("input normalized_before_gain"));
}

TEST_F(SelfTestTest, ABiasThatIsSubtractedWronglyIsNamed) {
  TranscoderFile file = Read("transcoder");
  const at::Tensor bias = at::linspace(-2, 2, 32);
  // The same encoder, for an input from which the bias is not subtracted.
  file.tensors["b_enc"] = file.tensors.at("b_enc") + at::matmul(bias, file.tensors.at("W_enc"));
  file.tensors["b_dec"] = bias;
  file.convention.subtracts_input_bias = true;
  EXPECT_THAT(Run(file).warning, IsEmpty());
  file.convention.subtracts_input_bias = false;
  EXPECT_THAT(Run(file).warning, HasSubstr("b_dec subtracted from the input"));
  TranscoderFile unsubtracted = Read("transcoder");
  unsubtracted.tensors["b_dec"] = bias;
  unsubtracted.convention.subtracts_input_bias = true;
  EXPECT_THAT(Run(unsubtracted).warning, HasSubstr("b_dec not subtracted from the input"));
}

TEST_F(SelfTestTest, ATransposedSkipIsNamed) {
  TranscoderFile file = Read("skip_transcoder");
  file.tensors["W_skip"] = file.tensors.at("W_skip").t();
  EXPECT_THAT(Run(file).warning, HasSubstr("W_skip transposed"));
}

TEST_F(SelfTestTest, ATargetThatIsNotCentredIsNamed) {
  TranscoderFile file = Read("transcoder");
  // A mean over d_model that is as large as in models whose residual stream has a strong common direction.
  file.tensors["W_dec"] = file.tensors.at("W_dec") + 0.05;
  EXPECT_THAT(Run(file).warning, IsEmpty());
  file.convention.centred_target = true;
  EXPECT_THAT(Run(file).warning, HasSubstr("a target that is not centred"));
  EXPECT_THAT(Run(Read("centred")).warning, IsEmpty());
}

TEST_F(SelfTestTest, AThresholdWithoutReluIsTriedWhereItMatters) {
  TranscoderFile file = Read("jumprelu_transcoder");
  const SelfTest test = Run(file);
  EXPECT_NE(Find(test, "no ReLU before the threshold"), nullptr);
  EXPECT_EQ(Find(test, "W_skip transposed"), nullptr);
  file.tensors["threshold"] = file.tensors.at("threshold").abs();
  EXPECT_EQ(Find(Run(file), "no ReLU before the threshold"), nullptr);
  EXPECT_EQ(Find(Run(Read("transcoder")), "no ReLU before the threshold"), nullptr);
}

TEST_F(SelfTestTest, AFormatWithOneReadingBringsNoWarning) {
  ASSERT_OK_AND_ASSIGN(const TranscoderFile file, ReadTranscoderFile({GoldenPath("tiny_transcoder_dunefsky.pt"), ""}));
  const SelfTest test = Run(file);
  EXPECT_THAT(test.warning, IsEmpty());
  EXPECT_NE(Find(test, "b_dec not subtracted from the input"), nullptr);
}

TEST_F(SelfTestTest, WhatExplainsNothingInAnyReadingBringsNoWarning) {
  TranscoderFile file = Read("transcoder");
  // The opposite of the MLP's output, and of a wrong input too.
  file.tensors["W_dec"] = -file.tensors.at("W_dec");
  file.tensors["b_dec"] = at::linspace(-10, 10, 32);
  file.convention.subtracts_input_bias = true;
  const SelfTest test = Run(file);
  const SelfTestFigures* better = Find(test, "b_dec not subtracted from the input");
  ASSERT_NE(better, nullptr);
  EXPECT_LT(1 - better->explained_variance, 0.5 * (1 - test.figures.explained_variance));
  EXPECT_LT(better->explained_variance, 0);
  EXPECT_THAT(test.warning, IsEmpty());
}

TEST_F(SelfTestTest, AnInputThatIsOpenIsSettledByWhatExplainsMore) {
  ASSERT_OK_AND_ASSIGN(const SelfTester tester, Tester());
  TranscoderFile before = Read("before_gain"), after = Read("transcoder");
  ASSERT_OK(tester.SettleInput(before));
  EXPECT_EQ(before.convention.input, TranscoderInput::kBeforeGain);
  EXPECT_EQ(before.convention.input_known_from, InputKnownFrom::kSelfTest);
  EXPECT_THAT(Run(before).warning, IsEmpty());
  ASSERT_OK(tester.SettleInput(after));
  EXPECT_EQ(after.convention.input, TranscoderInput::kAfterGain);
  EXPECT_EQ(after.convention.input_known_from, InputKnownFrom::kSelfTest);
}

TEST_F(SelfTestTest, AnInputThatIsKnownOrThatNothingSettlesStaysAsItIs) {
  ASSERT_OK_AND_ASSIGN(const SelfTester tester, Tester());
  TranscoderFile declared = Read("before_gain");
  declared.convention.input_known_from = InputKnownFrom::kConfig;
  ASSERT_OK(tester.SettleInput(declared));
  EXPECT_EQ(declared.convention.input, TranscoderInput::kAfterGain);
  TranscoderFile useless = Read("transcoder");
  useless.tensors["b_dec_out"] = at::linspace(-90, 90, 32);
  ASSERT_OK(tester.SettleInput(useless));
  EXPECT_EQ(useless.convention.input_known_from, InputKnownFrom::kDefault);
}

TEST_F(SelfTestTest, WeightsThatOverflowExplainNothing) {
  TranscoderFile file = Read("transcoder");
  file.tensors["W_enc"] = at::full_like(file.tensors.at("W_enc"), 1e38);
  const SelfTest test = Run(file);
  EXPECT_EQ(test.figures.explained_variance, -HUGE_VAL);
  EXPECT_THAT(test.warning, IsEmpty());
}

TEST_F(SelfTestTest, NothingButBosCannotBeTested) {
  tokens_ = at::full({3, 1}, kBos, at::kLong);
  EXPECT_THAT(Tester(), IsError(absl::StatusCode::kInvalidArgument, reason::kEmptyInput));
}

}  // namespace
}  // namespace superpose
