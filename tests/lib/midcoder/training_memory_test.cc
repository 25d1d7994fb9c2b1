// Estimates of training against what LibTorch allocates.
#include <ATen/ATen.h>

#include "lib/midcoder/midcoder_memory.h"
#include "lib/midcoder/trainer.h"
#include "tests/lib/midcoder/golden.h"
#include "tests/support/counting_allocator.h"
#include "tests/support/memory_rig.h"

namespace superpose {
namespace {

constexpr int64_t kContext = 64;

class TrainingMemoryTest : public MemoryRig {
 protected:
  struct Measured {
    int64_t peak = 0;
    int64_t held = 0;
    int64_t checkpoint = 0;
  };

  // Two steps of training, with a transcoder a layer.
  Measured Train(const TrainerConfig& config, int64_t d_sae, double bias) {
    TrainerInputs inputs{model(), {}, Sequences(at::randint(0, 200, {64, kContext}, at::kLong)), "corpus"};
    for (size_t i = 0; i < config.layers.size(); ++i) inputs.transcoders.push_back(MakeTranscoder(d_sae, bias));
    CountingAllocator& allocator = CountingAllocator::Install();
    const int64_t before = allocator.now();
    Measured measured;
    measured.peak = allocator.PeakOf([&] {
      auto trainer = MidcoderTrainer::Create(inputs, config);
      ASSERT_OK(trainer);
      EXPECT_OK((*trainer)->RunSlice(Budget::Unlimited()));
      measured.held = allocator.now() - before;
      for (const auto& [name, tensor] : (*trainer)->CheckpointTensors())
        measured.checkpoint += static_cast<int64_t>(tensor.nbytes());
    });
    return measured;
  }

  void ExpectAsEstimated(const TrainerConfig& config, int64_t d_sae, double bias) {
    const Measured measured = Train(config, d_sae, bias);
    const TranscoderShape shape = ShapeOf(d_sae, bias);
    const MemoryEstimate estimate = EstimateMidcoderTraining(model()->config(), config, kContext,
                                                             std::vector<TranscoderShape>(config.layers.size(), shape));
    EXPECT_TRUE(WithinAFifth(estimate.peak_bytes, measured.peak));
    EXPECT_TRUE(WithinAFifth(estimate.held_bytes, measured.held));
    EXPECT_EQ(estimate.checkpoint_bytes, measured.checkpoint);
  }

  static TrainerConfig Config(MidForm form, std::vector<int64_t> layers, int64_t batch_size) {
    TrainerConfig config;
    config.form = form;
    config.layers = std::move(layers);
    config.steps = 2;
    config.batch_size = batch_size;
    return config;
  }
};

TEST_F(TrainingMemoryTest, OfManyFeaturesTheParametersDecide) {
  ExpectAsEstimated(Config(MidForm::kDMlp, {1}, 8), 16'384, kFewActive);
}
TEST_F(TrainingMemoryTest, OfLargeBatchesTheTargetsDecide) {
  ExpectAsEstimated(Config(MidForm::kDMlp, {0, 1}, 64), 1024, kFewActive);
}
TEST_F(TrainingMemoryTest, TheFormDModelHasSmallerParameters) {
  ExpectAsEstimated(Config(MidForm::kDModel, {1}, 32), 8192, kFewActive);
}
TEST_F(TrainingMemoryTest, WhereEveryFeatureIsActiveTheActivationsDecide) {
  ExpectAsEstimated(Config(MidForm::kDModel, {0, 1}, 32), 4096, kAllActive);
}

class TrainingWithStatisticsMemoryTest : public TrainingMemoryTest {
 protected:
  static TrainerConfig With(TrainerConfig config, const StatisticsOptions& options, bool include_bos) {
    config.statistics = {std::vector<StatisticsOptions>(config.layers.size(), options), include_bos};
    return config;
  }
};

TEST_F(TrainingWithStatisticsMemoryTest, OfManyFeaturesTheSumsDecide) {
  ExpectAsEstimated(With(Config(MidForm::kDMlp, {1}, 8), {}, /*include_bos=*/false), 4096, kFewActive);
}
TEST_F(TrainingWithStatisticsMemoryTest, OfLargeBatchesTheRowsAreKept) {
  ExpectAsEstimated(With(Config(MidForm::kDModel, {0, 1}, 160), {}, /*include_bos=*/false), 256, kFewActive);
}
TEST_F(TrainingWithStatisticsMemoryTest, OfSomeGroupsAndFeatures) {
  StatisticsOptions options;
  options.groups = {StatisticsGroup::kGates, StatisticsGroup::kPreActivations};
  options.feature_ids = at::arange(0, 8192, 4, at::kLong);
  ExpectAsEstimated(With(Config(MidForm::kDMlp, {0, 1}, 32), options, /*include_bos=*/true), 8192, kFewActive);
}

TEST_F(TrainingMemoryTest, ResumingTakesNoMoreThanTraining) {
  const TrainerConfig config = Config(MidForm::kDMlp, {1}, 8);
  const Measured measured = Train(config, 16'384, kFewActive);
  TrainerInputs inputs{model(),
                       {MakeTranscoder(16'384, kFewActive)},
                       Sequences(at::randint(0, 200, {64, kContext}, at::kLong)),
                       "corpus"};
  ASSERT_OK_AND_ASSIGN(const auto first, MidcoderTrainer::Create(inputs, config));
  const TensorMap tensors = first->CheckpointTensors();
  const StringMap metadata = first->CheckpointMetadata();
  const int64_t peak = CountingAllocator::Install().PeakOf([&] {
    auto second = MidcoderTrainer::Create(inputs, config);
    ASSERT_OK(second);
    EXPECT_OK((*second)->Restore(tensors, metadata));
  });
  EXPECT_LE(peak, measured.peak);
}

}  // namespace
}  // namespace superpose
