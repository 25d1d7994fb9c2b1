#include "lib/midcoder/trainer_config.h"

#include <cmath>
#include <functional>
#include <limits>

#include "tests/status_matchers.h"

namespace superpose {
namespace {

TrainerConfig Valid() {
  TrainerConfig config;
  config.layers = {0};
  return config;
}

TEST(TrainerConfig, DefaultsWithALayerAreValid) { EXPECT_OK(ValidateTrainerConfig(Valid())); }

TEST(TrainerConfig, EdgesThatAreValid) {
  TrainerConfig config = Valid();
  config.steps = config.batch_size = config.steps_per_epoch = 1;
  config.weight_decay = config.mse_out_param = 0;
  config.layers = {5, 3};
  EXPECT_OK(ValidateTrainerConfig(config));
}

TEST(TrainerConfig, WrongFieldsAreNamed) {
  const double nan = std::numeric_limits<double>::quiet_NaN(), infinity = std::numeric_limits<double>::infinity();
  const std::vector<std::pair<const char*, std::function<void(TrainerConfig&)>>> cases = {
      {"steps is 0", [](auto& c) { c.steps = 0; }},
      {"batch_size is -1", [](auto& c) { c.batch_size = -1; }},
      {"steps_per_epoch is 0", [](auto& c) { c.steps_per_epoch = 0; }},
      {"lr is 0", [](auto& c) { c.lr = 0; }},
      {"lr is nan", [&](auto& c) { c.lr = nan; }},
      {"weight_decay is -0.1", [](auto& c) { c.weight_decay = -0.1; }},
      {"weight_decay is 1000", [](auto& c) { c.weight_decay = 1000; }},
      {"adam_eps is 0", [](auto& c) { c.adam_eps = 0; }},
      {"adam_eps is 1e-50", [](auto& c) { c.adam_eps = 1e-50; }},
      {"mse_out_param is inf", [&](auto& c) { c.mse_out_param = infinity; }},
      {"layers are 0", [](auto& c) { c.layers = {}; }},
      {"layers are 2 of which 1", [](auto& c) { c.layers = {1, 1}; }},
  };
  for (const auto& [message, spoil] : cases) {
    TrainerConfig config = Valid();
    spoil(config);
    const absl::Status status = ValidateTrainerConfig(config);
    EXPECT_THAT(status, IsError(absl::StatusCode::kInvalidArgument, reason::kConfigInvalid));
    EXPECT_THAT(status, MessageHas(message));
  }
}

TEST(Schedule, TrainTokensOvershootAsInTheReference) {
  EXPECT_EQ(StepsForTrainTokens(100'000, 128, 64, 10), 20);  // 163,840 tokens
  EXPECT_EQ(StepsForTrainTokens(81'920, 128, 64, 10), 20);   // exact: one epoch more all the same
  EXPECT_EQ(StepsForTrainTokens(81'919, 128, 64, 10), 10);
  EXPECT_EQ(StepsForTrainTokens(0, 128, 64, 10), 10);
  EXPECT_EQ(StepsForEpochs(7, 10), 70);
}

TEST(Schedule, CountsThatDoNotFitAreTheLargest) {
  constexpr int64_t kHuge = int64_t{1} << 40, kLargest = std::numeric_limits<int64_t>::max();
  EXPECT_EQ(StepsForEpochs(kHuge, kHuge), kLargest);
  EXPECT_EQ(StepsForTrainTokens(kLargest, 1, 1, 1), kLargest);  // the epoch that is one too many
  EXPECT_EQ(StepsForTrainTokens(100, kHuge, kHuge, 10), 10);    // a long epoch, of which one is enough
}

TEST(Schedule, CosineMovesOncePerEpoch) {
  TrainerConfig config = Valid();
  config.steps = 45;  // 5 epochs, the last one short
  config.lr = 2e-3;
  EXPECT_DOUBLE_EQ(LearningRate(config, config.lr, 0), 2e-3);
  EXPECT_DOUBLE_EQ(LearningRate(config, config.lr, 9), 2e-3);
  EXPECT_DOUBLE_EQ(LearningRate(config, config.lr, 10), 1e-3 * (1 + std::cos(M_PI / 5)));
  EXPECT_DOUBLE_EQ(LearningRate(config, config.lr, 44), 1e-3 * (1 + std::cos(M_PI * 4 / 5)));
}

TEST(TrainerConfigTest, WithoutASweepTheConfigsOwnSettingsAreTheOnlyVariant) {
  TrainerConfig config;
  config.lr = 2e-3;
  config.weight_decay = 3e-3;
  config.mse_out_param = 4;
  config.seed = 5;
  const std::vector<TrainerVariant> variants = VariantsOf(config);
  ASSERT_EQ(variants.size(), 1);
  EXPECT_EQ(variants[0].lr, 2e-3);
  EXPECT_EQ(variants[0].weight_decay, 3e-3);
  EXPECT_EQ(variants[0].mse_out_param, 4);
  EXPECT_EQ(variants[0].seed, 5);
}

TEST(TrainerConfigTest, VariantsThatCannotDifferAreRefused) {
  TrainerConfig config;
  config.layers = {0};
  config.sweep = {{.seed = 1}, {.seed = 2}};
  EXPECT_OK(ValidateTrainerConfig(config));
  config.order = SequenceOrder::kSequential;  // which no seed changes
  EXPECT_THAT(ValidateTrainerConfig(config), IsError(absl::StatusCode::kInvalidArgument, reason::kConfigInvalid));
  config.order = SequenceOrder::kShuffled;
  config.sweep = {{.lr = 2e-3}, {.lr = 2e-3}};
  EXPECT_THAT(ValidateTrainerConfig(config), IsError(absl::StatusCode::kInvalidArgument, reason::kConfigInvalid));
}

TEST(TrainerConfigTest, EveryVariantOfASweepIsChecked) {
  TrainerConfig config;
  config.layers = {0};
  config.sweep = {{}, {.lr = -1}};
  EXPECT_THAT(ValidateTrainerConfig(config), IsError(absl::StatusCode::kInvalidArgument, reason::kConfigInvalid));
  config.sweep = {{}, {.lr = 1}};
  EXPECT_OK(ValidateTrainerConfig(config));
}

}  // namespace
}  // namespace superpose
