// Statistics that a trainer collects while its parameters move.
#include <ATen/ATen.h>

#include "lib/midcoder/trainer.h"
#include "tests/lib/midcoder/golden.h"
#include "tests/lib/statistics/dense_statistics.h"
#include "tests/status_matchers.h"

namespace superpose {
namespace {

Budget OneUnit() {
  return Budget([] { return true; });
}

class TrainingStatisticsTest : public testing::Test {
 protected:
  void SetUp() override {
    model_ = GoldenModel();
    transcoder_ = GoldenTranscoder();
    ASSERT_TRUE(model_ && transcoder_);
  }
  TrainerInputs Inputs(size_t layers, const at::Tensor& tokens = GoldenTokens()) const {
    return {model_, std::vector<std::shared_ptr<const Transcoder>>(layers, transcoder_), Sequences(tokens), "corpus"};
  }
  std::unique_ptr<MidcoderTrainer> New(const TrainerConfig& config, const at::Tensor& tokens = GoldenTokens()) const {
    auto trainer = MidcoderTrainer::Create(Inputs(config.layers.size(), tokens), config);
    EXPECT_OK(trainer);
    return trainer.ok() ? *std::move(trainer) : nullptr;
  }
  std::unique_ptr<MidcoderTrainer> Run(const TrainerConfig& config, const at::Tensor& tokens = GoldenTokens()) const {
    auto trainer = New(config, tokens);
    EXPECT_OK(trainer->RunSlice(Budget::Unlimited()));
    return trainer;
  }
  static void RunToStep(MidcoderTrainer& trainer, int64_t step) {
    ASSERT_OK(trainer.RunSlice(Budget([&] { return trainer.step() >= step; })));
    ASSERT_EQ(trainer.step(), step);
  }
  static TrainerConfig Config(MidForm form, int64_t steps, std::vector<int64_t> layers = {1}) {
    TrainerConfig config = GoldenConfig(form);
    config.steps = steps;
    config.layers = std::move(layers);
    config.statistics.emplace();
    config.statistics->layers.resize(config.layers.size());
    return config;
  }
  static TrainerConfig WithoutStatistics(TrainerConfig config) {
    config.statistics.reset();
    return config;
  }

  std::shared_ptr<const Model> model_;
  std::shared_ptr<const Transcoder> transcoder_;
};

class GoldenStatistics : public TrainingStatisticsTest {
 protected:
  // Every sum that the reference has, of its own training run. Whether a float32 mid that is nearly 0 is above it is
  // rounding: a few gates in the 1.6 million may differ.
  void ExpectThoseOf(const std::string& file, MidForm form) const {
    const TensorMap golden = GoldenTensors(file);
    TrainerConfig config = Config(form, 50);
    config.statistics->include_bos = true;
    config.statistics->layers[0].feature_ids = golden.at("feat_ids").to(at::kLong);
    const auto trainer = Run(config);
    TensorMap tensors = trainer->statistics(0).Tensors();
    EXPECT_TRUE(at::equal(tensors.at("feat_ids"), golden.at("feat_ids").to(at::kLong)));
    tensors["act_cov_counts"] = Square(tensors.at("act_cov_counts_upper"), 80);
    tensors["act_cov_sum"] = Square(tensors.at("act_cov_sum_upper"), 80);
    for (const auto& [name, expected] : golden) {
      if (name == "feat_ids") continue;
      ASSERT_EQ(tensors.at(name).sizes(), expected.sizes()) << name;
      if (tensors.at(name).scalar_type() == at::kLong) {
        EXPECT_LE(LargestError(tensors.at(name), expected), name.find("gate") == std::string::npos ? 0 : 2) << name;
        EXPECT_LT(RelativeError(tensors.at(name), expected), 1e-5) << name;
      } else {
        EXPECT_LT(RelativeError(tensors.at(name), expected), kTolerance) << name;
      }
    }
  }
  static at::Tensor Square(const at::Tensor& upper, int64_t n) {
    const at::Tensor indices = at::triu_indices(n, n);
    at::Tensor square = at::zeros({n, n}, upper.options());
    square.index_put_({indices[0], indices[1]}, upper);
    square.index_put_({indices[1], indices[0]}, upper);
    return square;
  }
  static constexpr double kTolerance = 6e-7;
};

TEST_F(GoldenStatistics, OfTheFormDMlp) { ExpectThoseOf("tiny_stats_d_mlp_f64.safetensors", MidForm::kDMlp); }
TEST_F(GoldenStatistics, OfTheFormDMlpInFloat32) { ExpectThoseOf("tiny_stats_d_mlp_f32.safetensors", MidForm::kDMlp); }
TEST_F(GoldenStatistics, OfTheFormDModel) { ExpectThoseOf("tiny_stats_d_model_f32.safetensors", MidForm::kDModel); }

// What keeps the tolerances honest: counted after the step's update, or with the gate at mid >= 0, they are others.
TEST_F(GoldenStatistics, ABrokenRuleShows) {
  const TensorMap golden = GoldenTensors("tiny_stats_d_mlp_f64.safetensors");
  const auto trainer = New(WithoutStatistics(Config(MidForm::kDMlp, 50)));
  at::Tensor closed = at::zeros({128}, at::kLong), gates_after = at::zeros({128}, at::kLong);
  at::Tensor gates = at::zeros({128}, at::kLong), mid_after = at::zeros({128}, at::kDouble);
  for (int64_t step = 0; step < 50; ++step) {
    ASSERT_OK_AND_ASSIGN(const MlpTensors mlp, model_->RunToMlp(GoldenTokens().narrow(0, step * 8, 8), 1));
    ASSERT_OK_AND_ASSIGN(const SparseActivations z, transcoder_->Encode(mlp.x_hat.flatten(0, 1)));
    const at::Tensor before = trainer->midcoder(0).Mid(*model_, z);
    gates.add_(before.gt(0).sum(0));
    closed.add_(before.ge(0).sum(0));
    RunToStep(*trainer, step + 1);
    const at::Tensor after = trainer->midcoder(0).Mid(*model_, z);
    gates_after.add_(after.gt(0).sum(0));
    mid_after.add_(after.to(at::kDouble).sum(0));
  }
  EXPECT_LT(RelativeError(gates, golden.at("gate_counts")), 1e-5);
  EXPECT_GT(RelativeError(closed, golden.at("gate_counts")), 1e-3);
  EXPECT_GT(RelativeError(gates_after, golden.at("gate_counts")), 1e-3);
  EXPECT_GT(RelativeError(mid_after, golden.at("mid_sum")), 1e-3);
}

TEST_F(TrainingStatisticsTest, TrainingIsTheSameWithAndWithoutThem) {
  for (const MidForm form : {MidForm::kDMlp, MidForm::kDModel}) {
    TrainerConfig config = Config(form, 6, {2, 0});
    config.batch_size = 40;
    config.order = SequenceOrder::kShuffled;
    const auto with = Run(config), without = Run(WithoutStatistics(config));
    for (int64_t i = 0; i < 2; ++i) ExpectSameBits(with->midcoder(i).tensors(), without->midcoder(i).tensors());
    EXPECT_EQ(with->HistorySince(5).back().loss, without->HistorySince(5).back().loss);
  }
}

// Of the last step's tokens mid is that of the parameters before the step.
TEST_F(TrainingStatisticsTest, AStepCountsMidAsOfBeforeItsUpdate) {
  TrainerConfig config = Config(MidForm::kDMlp, 20);
  config.statistics->include_bos = true;
  const auto trainer = New(config);
  RunToStep(*trainer, 19);
  const TensorMap before = CopyOf(trainer->statistics(0).Tensors());
  ASSERT_OK_AND_ASSIGN(const MlpTensors mlp, model_->RunToMlp(GoldenTokens().narrow(0, 19 * 8, 8), 1));
  ASSERT_OK_AND_ASSIGN(const SparseActivations z, transcoder_->Encode(mlp.x_hat.flatten(0, 1)));
  const at::Tensor mid = trainer->midcoder(0).Mid(*model_, z);
  RunToStep(*trainer, 20);
  TensorMap step = CopyOf(trainer->statistics(0).Tensors());
  for (auto& [name, tensor] : step) {
    if (name != "act_max") tensor.sub_(before.at(name));
  }
  TensorMap expected = DenseStatistics({z, mlp.pre.flatten(0, 1), mid, mlp.out.flatten(0, 1)});
  expected["act_max"] = at::maximum(expected["act_max"], before.at("act_max"));
  ExpectSums(step, expected, 6e-7);
}

TEST_F(TrainingStatisticsTest, TheFirstStepHasAllGatesShut) {
  const auto trainer = Run(Config(MidForm::kDMlp, 1));
  const TensorMap tensors = trainer->statistics(0).Tensors();
  EXPECT_EQ(tensors.at("gate_counts").sum().item<int64_t>(), 0);
  EXPECT_EQ(tensors.at("act_gate_sum").abs().sum().item<double>(), 0);
  EXPECT_GT(tensors.at("act_sum").sum().item<double>(), 0);
}

TEST_F(TrainingStatisticsTest, BosIsLeftOutUnlessItIsAskedFor) {
  TrainerConfig config = Config(MidForm::kDMlp, 3);
  EXPECT_EQ(Run(config)->statistics(0).tokens(), 3 * 8 * 31);
  at::Tensor tokens = GoldenTokens().narrow(0, 0, 24).clone();
  tokens[5][0] = model_->config().bos_token_id == 7 ? 8 : 7;
  EXPECT_EQ(Run(config, tokens)->statistics(0).tokens(), 3 * 8 * 31 + 1);
  config.statistics->include_bos = true;
  EXPECT_EQ(Run(config)->statistics(0).tokens(), 3 * 8 * 32);
  config.statistics->include_bos = false;
  const at::Tensor bos = at::full({8, 1}, model_->config().bos_token_id, at::kLong);
  EXPECT_EQ(Run(config, bos)->statistics(0).tokens(), 0);
}

TEST_F(TrainingStatisticsTest, LayersTogetherEqualLayersAlone) {
  TrainerConfig config = Config(MidForm::kDModel, 4, {2, 0});
  config.statistics->layers[1].feature_ids = at::tensor({5, 200}, at::kLong);
  const auto together = Run(config);
  for (int64_t i = 0; i < 2; ++i) {
    TrainerConfig single = Config(MidForm::kDModel, 4, {config.layers[i]});
    single.statistics->layers = {config.statistics->layers[i]};
    ExpectSameBits(together->statistics(i).Tensors(), Run(single)->statistics(0).Tensors());
  }
}

TEST_F(TrainingStatisticsTest, SlicesOfOneUnitGiveTheSameBits) {
  TrainerConfig config = Config(MidForm::kDMlp, 3, {0, 1});
  config.batch_size = 40;
  const auto whole = Run(config), sliced = New(config);
  for (bool done = false; !done;) {
    ASSERT_OK_AND_ASSIGN(done, sliced->RunSlice(OneUnit()));
  }
  ExpectSameBits(sliced->CheckpointTensors(), whole->CheckpointTensors());
}

// 9,600 rows a step: more than are summed at once.
TEST_F(TrainingStatisticsTest, StepsOfManyRowsAreCountedInBlocks) {
  TrainerConfig config = Config(MidForm::kDMlp, 2);
  config.batch_size = 300;
  config.statistics->include_bos = true;
  const auto trainer = Run(config), other = Run(WithoutStatistics(config));
  ExpectSameBits(trainer->midcoder(0).tensors(), other->midcoder(0).tensors());
  const TensorMap tensors = trainer->statistics(0).Tensors();
  EXPECT_EQ(tensors.at("counts").item<int64_t>(), 2 * 9600);

  const at::Tensor tokens = at::cat({GoldenTokens(), GoldenTokens()}).narrow(0, 0, 600);
  at::Tensor pre = at::zeros({128}, at::kDouble);
  for (const at::Tensor& chunk : tokens.split(16)) {
    ASSERT_OK_AND_ASSIGN(const MlpTensors mlp, model_->RunToMlp(chunk, 1));
    pre.add_(mlp.pre.to(at::kDouble).sum(at::IntArrayRef{0, 1}));
  }
  EXPECT_LT(RelativeError(tensors.at("pre_relu_sum"), pre), 1e-7);
}

TEST_F(TrainingStatisticsTest, AResumedRunEndsWithTheSameBits) {
  TrainerConfig config = Config(MidForm::kDMlp, 6, {1, 2});
  config.order = SequenceOrder::kShuffled;
  config.statistics->layers[1].feature_ids = at::tensor({200, 3, 3, 17}, at::kLong);
  const auto whole = New(config);
  RunToStep(*whole, 4);
  const TensorMap tensors = CopyOf(whole->CheckpointTensors());
  const StringMap metadata = whole->CheckpointMetadata();
  RunToStep(*whole, 6);

  const auto resumed = New(config);
  for (int unit = 0; unit < 6; ++unit) ASSERT_OK(resumed->RunSlice(OneUnit()));  // in the middle of a step: dropped
  ASSERT_EQ(resumed->step(), 0);
  ASSERT_OK(resumed->Restore(tensors, metadata));
  RunToStep(*resumed, 6);
  ExpectSameBits(resumed->CheckpointTensors(), whole->CheckpointTensors());
}

TEST_F(TrainingStatisticsTest, CheckpointsWithOtherStatisticsAreRefused) {
  const TrainerConfig config = Config(MidForm::kDMlp, 2);
  const auto with = New(config), without = New(WithoutStatistics(config));
  const auto refused = IsError(absl::StatusCode::kFailedPrecondition, reason::kInputChanged);
  EXPECT_THAT(with->Restore(without->CheckpointTensors(), without->CheckpointMetadata()), refused);
  EXPECT_THAT(without->Restore(with->CheckpointTensors(), with->CheckpointMetadata()), refused);
  TrainerConfig other = config;
  other.statistics->include_bos = true;
  const absl::Status bos = New(other)->Restore(with->CheckpointTensors(), with->CheckpointMetadata());
  EXPECT_THAT(bos, refused);
  EXPECT_THAT(bos, MessageHas("config.statistics.include_bos"));
  other = config;
  other.statistics->layers[0].groups.erase(StatisticsGroup::kPairs);
  EXPECT_THAT(New(other)->Restore(with->CheckpointTensors(), with->CheckpointMetadata()),
              MessageHas("config.layer1.statistics"));
}

TEST_F(TrainingStatisticsTest, ADamagedCheckpointChangesNothing) {
  const auto trainer = New(Config(MidForm::kDMlp, 3));
  RunToStep(*trainer, 1);
  const TensorMap good = CopyOf(trainer->CheckpointTensors());
  TensorMap bad = CopyOf(good);
  bad["layer1.W_mid"].add_(1);
  bad.erase("layer1.statistics.act_cov_sum_upper");
  EXPECT_THAT(trainer->Restore(bad, trainer->CheckpointMetadata()),
              IsError(absl::StatusCode::kInvalidArgument, reason::kTensorMissing));
  ExpectSameBits(trainer->CheckpointTensors(), good);
}

TEST_F(TrainingStatisticsTest, ConfigsThatDoNotFitAreRefused) {
  const auto create = [&](const TrainerConfig& config) {
    return MidcoderTrainer::Create(Inputs(config.layers.size()), config).status();
  };
  const auto invalid = absl::StatusCode::kInvalidArgument;
  TrainerConfig config = Config(MidForm::kDMlp, 2);
  config.sweep = {{.lr = 1e-3}, {.lr = 2e-3}};
  EXPECT_THAT(create(config), IsError(invalid, reason::kConfigInvalid));
  config = Config(MidForm::kDMlp, 2, {0, 1});
  config.statistics->layers.resize(1);
  EXPECT_THAT(create(config), IsError(invalid, reason::kConfigInvalid));
  config = Config(MidForm::kDMlp, 2);
  config.statistics->layers[0].feature_ids = at::tensor({256}, at::kLong);
  EXPECT_THAT(create(config), IsError(invalid, reason::kFeatureOutOfRange));
}

}  // namespace
}  // namespace superpose
