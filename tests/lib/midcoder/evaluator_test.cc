#include "lib/midcoder/evaluator.h"

#include <cmath>

#include "tests/lib/midcoder/golden.h"
#include "tests/status_matchers.h"
#include "tests/support/devices.h"

namespace superpose {
namespace {

constexpr int64_t kLayer = 1;

class EvaluatorTest : public testing::Test {
 protected:
  void SetUp() override {
    if (IsMissing(device())) GTEST_SKIP() << "no such device here";
    model_ = GoldenModel(device());
    transcoder_ = GoldenTranscoder(device());
    ASSERT_TRUE(model_ && transcoder_);
    midcoder_ = TrainedMidcoder(MidForm::kDMlp, "tiny_mid_d_mlp_f32.safetensors");
    ASSERT_TRUE(midcoder_);
  }

  virtual at::DeviceType device() const { return at::kCPU; }
  std::shared_ptr<const Midcoder> TrainedMidcoder(MidForm form, const std::string& file, int64_t layer = kLayer) const {
    auto midcoder = Midcoder::FromTensors(form, MidGate::kRelu, layer, *model_, transcoder_->d_sae(),
                                          WithoutPrefix(GoldenTensors(file), "after_50."));
    EXPECT_TRUE(midcoder.ok()) << midcoder.status().ToString();
    return midcoder.ok() ? std::make_shared<Midcoder>(*std::move(midcoder)) : nullptr;
  }
  std::unique_ptr<MidcoderEvaluator> NewEvaluator(const at::Tensor& tokens, const EvaluatorConfig& config) const {
    auto evaluator = MidcoderEvaluator::Create({model_, transcoder_, midcoder_, Sequences(tokens)}, config);
    EXPECT_TRUE(evaluator.ok()) << evaluator.status().ToString();
    return evaluator.ok() ? *std::move(evaluator) : nullptr;
  }
  EvaluationResult Evaluate(const at::Tensor& tokens, const EvaluatorConfig& config) const {
    const auto evaluator = NewEvaluator(tokens, config);
    if (!evaluator) return {};
    const auto done = evaluator->RunSlice(Budget::Unlimited());
    EXPECT_TRUE(done.ok() && *done) << done.status().ToString();
    EXPECT_EQ(evaluator->tokens_done(), evaluator->tokens_total());
    return evaluator->result();
  }

  std::shared_ptr<const Model> model_;
  std::shared_ptr<const Transcoder> transcoder_;
  std::shared_ptr<const Midcoder> midcoder_;
};

// tests/data/golden, manifest of the reference: evaluate_first_3_batches, in float64.
struct GoldenEvaluation {
  MidForm form;
  const char* file;
  double ce_midcoder, mse_mid, mse_out;
};

class EvaluatorOnDevice : public EvaluatorTest, public testing::WithParamInterface<at::DeviceType> {
 protected:
  at::DeviceType device() const override { return GetParam(); }
};
INSTANTIATE_TEST_SUITE_P(Devices, EvaluatorOnDevice, testing::ValuesIn(kDeviceTypes), DeviceTest::Name);

TEST_P(EvaluatorOnDevice, EqualsTheReference) {
  for (const GoldenEvaluation& golden : {GoldenEvaluation{MidForm::kDMlp, "tiny_mid_d_mlp_f32.safetensors",
                                                          6.8001831983292655, 1.1821981560613477, 2.0351849788815524},
                                         GoldenEvaluation{MidForm::kDModel, "tiny_mid_d_model_f32.safetensors",
                                                          6.806880058924324, 1.1491775911703719, 2.0533757027944084}}) {
    midcoder_ = TrainedMidcoder(golden.form, golden.file);
    const EvaluationResult result = Evaluate(GoldenTokens(), {.tokens = 3 * 8 * 32, .batch_size = 8});
    EXPECT_EQ(result.at("tokens"), 768);
    EXPECT_EQ(result.at("sequences"), 24);
    EXPECT_NEAR(result.at("ce_model"), 6.7545004582114485, 3e-6);
    EXPECT_NEAR(result.at("ce_midcoder"), golden.ce_midcoder, 3e-6);
    EXPECT_NEAR(result.at("ce_transcoder"), 6.718600795646323, 3e-6);
    EXPECT_NEAR(result.at("mse_mid"), golden.mse_mid, 2e-6);
    EXPECT_NEAR(result.at("mse_out"), golden.mse_out, 2e-6);
    EXPECT_NEAR(result.at("mse_out_transcoder"), 0.7588091052991165, 2e-6);
  }
}

TEST_F(EvaluatorTest, SlicesOfOneUnitGiveTheSameNumbers) {
  const EvaluatorConfig config{.tokens = 2'000, .batch_size = 4};
  const EvaluationResult whole = Evaluate(GoldenTokens(), config);
  const auto sliced = NewEvaluator(GoldenTokens(), config);
  int slices = 0;
  for (bool done = false; !done; ++slices) {
    ASSERT_OK_AND_ASSIGN(done, sliced->RunSlice(Budget([] { return true; })));
  }
  EXPECT_GT(slices, 40);
  EXPECT_EQ(sliced->result(), whole);
}

TEST_F(EvaluatorTest, RoundsUpToWholeBatchesAndStopsAtTheEnd) {
  const at::Tensor tokens = GoldenTokens();
  EXPECT_EQ(Evaluate(tokens, {.tokens = 1, .batch_size = 5}).at("sequences"), 5);
  EXPECT_EQ(Evaluate(tokens, {.tokens = 5 * 32, .batch_size = 5}).at("sequences"), 5);
  EXPECT_EQ(Evaluate(tokens, {.tokens = 5 * 32 + 1, .batch_size = 5}).at("sequences"), 10);
  EXPECT_EQ(Evaluate(tokens.narrow(0, 0, 7), {.tokens = 1'000'000'000'000, .batch_size = 5}).at("sequences"), 7);
  EXPECT_EQ(Evaluate(tokens.narrow(0, 0, 7), {.tokens = 1, .batch_size = INT64_MAX}).at("sequences"), 7);
}

// Everything again, dense and in one go, from the model's own forward pass.
class Brute {
 public:
  Brute(const Model& model, const Transcoder& transcoder, const Midcoder& midcoder, const at::Tensor& tokens,
        int64_t window, bool keep_bos)
      : model_(model), tokens_(tokens), bos_(tokens.select(1, 0).eq(255)), layer_(midcoder.layer()) {
    mlp_ = *model.RunToMlp(tokens, layer_);
    const SparseActivations z = *transcoder.Encode(mlp_.x_hat.flatten(0, 1));
    const MidcoderOutput output = midcoder.Apply(model, z);
    mid_ = output.mid.view_as(mlp_.pre);
    const at::Tensor relu_out = mlp_.pre.relu().matmul(model.layer_tensor(layer_, "W_out"));
    const at::Tensor bias = MeanWithoutBos((mlp_.out - relu_out).narrow(0, 0, window));
    replacements_ = {mlp_.out,
                     output.mlp_out.view_as(mlp_.out),
                     (*transcoder.Decode(z, mlp_.x_hat.flatten(0, 1))).view_as(mlp_.out),
                     at::zeros_like(mlp_.out),
                     MeanWithoutBos(mlp_.out.narrow(0, 0, window)).expand_as(mlp_.out).clone(),
                     relu_out + bias};
    model_log_probabilities_ = LogProbabilities(0, keep_bos);
    for (size_t v = 0; v < replacements_.size(); ++v) Score(v, keep_bos);
  }

  std::vector<at::Tensor> ce, kl;  // [sequences, positions - 1] float64 by variant
  at::Tensor KeepWithoutBos(const at::Tensor& by_position) const {
    at::Tensor keep = at::ones_like(by_position, at::kBool);
    keep.select(1, 0).copy_(~bos_);
    return by_position.masked_select(keep);
  }
  at::Tensor Errors(size_t v) const { return (replacements_[v] - mlp_.out).to(at::kDouble).square().mean(-1); }
  at::Tensor MidErrors() const { return (mid_ - mlp_.pre).to(at::kDouble).square().mean(-1); }
  at::Tensor FvuWithoutBos(size_t v) const {
    const at::Tensor deviation = (mlp_.out - MeanWithoutBos(mlp_.out)).to(at::kDouble).square().mean(-1);
    return KeepWithoutBos(Errors(v)).sum() / KeepWithoutBos(deviation).sum();
  }
  at::Tensor Fvu(size_t v) const {
    const at::Tensor out = mlp_.out.to(at::kDouble).flatten(0, 1);
    return Errors(v).sum() / (out - out.mean(0)).square().mean(-1).sum();
  }
  at::Tensor LossRecovered(size_t v) const {
    const auto mean = [&](size_t variant) { return ce[variant].mean(); };
    return (mean(kZeroVariant) - mean(v)) / (mean(kZeroVariant) - mean(kModelVariant));
  }
  at::Tensor LossRecoveredWithoutBos(size_t v) const {
    const auto mean = [&](size_t variant) { return KeepWithoutBos(ce[variant]).mean(); };
    return (mean(kZeroVariant) - mean(v)) / (mean(kZeroVariant) - mean(kModelVariant));
  }
  // Standard error over sequences.
  at::Tensor ErrorOfCeWithoutBos(size_t v) const {
    const at::Tensor first = ce[v].select(1, 0).masked_fill(bos_, 0);
    const at::Tensor sums = first + ce[v].slice(1, 1).sum(1);
    const at::Tensor means = sums / (ce[v].size(1) - bos_.to(at::kDouble));
    return means.std(/*unbiased=*/true) / std::sqrt(means.numel());
  }

 private:
  at::Tensor MeanWithoutBos(const at::Tensor& rows) const {
    at::Tensor keep = at::ones({rows.size(0), rows.size(1)}, at::kBool);
    keep.select(1, 0).copy_(~bos_.narrow(0, 0, rows.size(0)));
    return rows.to(at::kDouble).index({keep}).mean(0).to(at::kFloat);
  }
  at::Tensor LogProbabilities(size_t v, bool keep_bos) const {
    const auto replace = [&](int64_t layer, const MlpTensors& mlp) {
      if (layer != layer_) return at::Tensor();
      at::Tensor out = replacements_[v].clone();
      if (keep_bos) out.select(1, 0).copy_(at::where(bos_.unsqueeze(1), mlp.out.select(1, 0), out.select(1, 0)));
      return out;
    };
    const at::Tensor resid = *model_.Run(tokens_, replace);
    const at::Tensor rows = resid.narrow(1, 0, tokens_.size(1) - 1).flatten(0, 1);
    return model_.LogProbabilities(rows).to(at::kDouble);
  }
  void Score(size_t v, bool keep_bos) {
    const at::Tensor log_probabilities = LogProbabilities(v, keep_bos);
    const at::Tensor targets = tokens_.narrow(1, 1, tokens_.size(1) - 1);
    ce.push_back(-log_probabilities.gather(1, targets.flatten().unsqueeze(1)).view_as(targets));
    const at::Tensor difference = model_log_probabilities_ - log_probabilities;
    kl.push_back((model_log_probabilities_.exp() * difference).sum(1).view_as(targets));
  }

  const Model& model_;
  const at::Tensor tokens_, bos_;
  const int64_t layer_;
  MlpTensors mlp_;
  at::Tensor mid_, model_log_probabilities_;
  std::vector<at::Tensor> replacements_;
};

void ExpectEqualsBrute(const EvaluationResult& result, const Brute& brute) {
  const auto near = [&](const std::string& name, const at::Tensor& expected) {
    ASSERT_EQ(result.count(name), 1) << name;
    const double value = expected.item<double>();
    EXPECT_NEAR(result.at(name), value, 3e-6 * (1 + std::abs(value))) << name;
  };
  for (size_t v = 0; v < kVariantNames.size(); ++v) {
    const std::string name = kVariantNames[v];
    near("ce_" + name, brute.ce[v].mean());
    near("ce_" + name + "_no_bos", brute.KeepWithoutBos(brute.ce[v]).mean());
    const at::Tensor by_sequence = brute.ce[v].mean(1);
    near("se_ce_" + name, by_sequence.std(/*unbiased=*/true) / std::sqrt(by_sequence.numel()));
    near("se_ce_" + name + "_no_bos", brute.ErrorOfCeWithoutBos(v));
    if (v == kModelVariant) continue;
    near("kl_" + name, brute.kl[v].mean());
    near("kl_" + name + "_no_bos", brute.KeepWithoutBos(brute.kl[v]).mean());
  }
  near("mse_mid", brute.MidErrors().mean());
  near("mse_mid_no_bos", brute.KeepWithoutBos(brute.MidErrors()).mean());
  near("mse_out", brute.Errors(kMidcoderVariant).mean());
  near("mse_out_no_bos", brute.KeepWithoutBos(brute.Errors(kMidcoderVariant)).mean());
  near("mse_out_transcoder", brute.Errors(kTranscoderVariant).mean());
  near("mse_out_transcoder_no_bos", brute.KeepWithoutBos(brute.Errors(kTranscoderVariant)).mean());
  near("fvu_midcoder", brute.Fvu(kMidcoderVariant));
  near("fvu_midcoder_no_bos", brute.FvuWithoutBos(kMidcoderVariant));
  near("fvu_transcoder", brute.Fvu(kTranscoderVariant));
  near("fvu_transcoder_no_bos", brute.FvuWithoutBos(kTranscoderVariant));
  EXPECT_EQ(result.count("kl_model"), 0);
}

// Some sequences without BOS, and more than the window's 16,384 tokens.
TEST_F(EvaluatorTest, EveryFigureEqualsADenseComputation) {
  at::Tensor tokens = at::cat({GoldenTokens(), GoldenTokens().flip(0).narrow(0, 0, 200)});
  tokens.select(1, 0).narrow(0, 3, 20).fill_(17);
  for (bool keep_bos : {false, true}) {
    const EvaluationResult result = Evaluate(tokens, {.tokens = 1'000'000, .keep_bos = keep_bos});
    EXPECT_EQ(result.at("sequences"), 616);
    const Brute brute(*model_, *transcoder_, *midcoder_, tokens, 512, keep_bos);
    ExpectEqualsBrute(result, brute);
    for (EvaluationVariant v : {kMidcoderVariant, kTranscoderVariant, kMeanVariant, kReluGateVariant}) {
      const std::string name = std::string("loss_recovered_") + kVariantNames[v];
      if (result.count(name) == 0) continue;  // the gap is noise
      EXPECT_NEAR(result.at(name), brute.LossRecovered(v).item<double>(), 2e-3) << name;
      EXPECT_NEAR(result.at(name + "_no_bos"), brute.LossRecoveredWithoutBos(v).item<double>(), 2e-3) << name;
    }
  }
}

TEST_F(EvaluatorTest, TheLastLayerAndAShortBatch) {
  midcoder_ = TrainedMidcoder(MidForm::kDModel, "tiny_mid_d_model_f32.safetensors", 2);
  const at::Tensor tokens = GoldenTokens().narrow(0, 0, 19).narrow(1, 0, 29);
  ExpectEqualsBrute(Evaluate(tokens, {}), Brute(*model_, *transcoder_, *midcoder_, tokens, 19, false));
}

TEST_F(EvaluatorTest, KeepBosLeavesOtherPositionsAlone) {
  at::Tensor tokens = GoldenTokens().narrow(0, 0, 16).clone();
  const double with_bos = Evaluate(tokens, {}).at("ce_zero"), kept = Evaluate(tokens, {.keep_bos = true}).at("ce_zero");
  EXPECT_NE(with_bos, kept);
  tokens.select(1, 0).fill_(17);  // no BOS: nothing to keep
  EXPECT_EQ(Evaluate(tokens, {}), Evaluate(tokens, {.keep_bos = true}));
}

TEST_F(EvaluatorTest, OneSequenceHasNoStandardErrorsAndNoLossRecovered) {
  const EvaluationResult result = Evaluate(GoldenTokens().narrow(0, 0, 1), {});
  EXPECT_EQ(result.count("se_ce_model"), 0);
  EXPECT_EQ(result.count("loss_recovered_midcoder"), 0);
  EXPECT_EQ(result.count("ce_midcoder"), 1);
}

TEST_F(EvaluatorTest, TwoTokensWithBosHaveNoFigureWithoutIt) {
  const EvaluationResult result = Evaluate(GoldenTokens().narrow(1, 0, 2), {});
  EXPECT_EQ(result.count("ce_model"), 1);
  EXPECT_EQ(result.count("ce_model_no_bos"), 0);
  EXPECT_EQ(result.count("mse_mid_no_bos"), 1);
  for (const auto& [name, value] : result) EXPECT_TRUE(std::isfinite(value)) << name;
}

TEST_F(EvaluatorTest, WrongInputsAreRefused) {
  const auto create = [&](const at::Tensor& tokens, const EvaluatorConfig& config) {
    return MidcoderEvaluator::Create({model_, transcoder_, midcoder_, Sequences(tokens)}, config).status();
  };
  const auto invalid = absl::StatusCode::kInvalidArgument;
  EXPECT_THAT(create(GoldenTokens(), {.tokens = 0}), IsError(invalid, reason::kConfigInvalid));
  EXPECT_THAT(create(GoldenTokens(), {.batch_size = 0}), IsError(invalid, reason::kConfigInvalid));
  EXPECT_THAT(create(GoldenTokens().narrow(1, 0, 1), {}), IsError(invalid, reason::kCorpusTooSmall));
  EXPECT_THAT(create(GoldenTokens().narrow(0, 0, 0), {}), IsError(invalid, reason::kCorpusTooSmall));
  EXPECT_THAT(create(at::zeros({2, 65}, at::kLong), {}), IsError(invalid, reason::kContextExceeded));
  midcoder_ = std::make_shared<Midcoder>(Midcoder::Zero(MidForm::kDMlp, MidGate::kRelu, kLayer, *model_, 255));
  EXPECT_THAT(create(GoldenTokens(), {}), IsError(invalid, reason::kTranscoderMismatch));
}

}  // namespace
}  // namespace superpose
