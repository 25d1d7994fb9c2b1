#include "lib/factorization/factorizer_config.h"

#include <ATen/ATen.h>

#include <functional>
#include <limits>

#include "tests/status_matchers.h"
#include "tests/support/golden.h"

namespace superpose {
namespace {

TEST(FactorLearningRate, TheReferencesOwnScheduleComesBackUp) {
  const at::Tensor golden = GoldenTensors("tiny_factorizer_f64.safetensors").at("lr_per_batch");
  FactorizerConfig config;
  config.form = FactorForm::kGram;
  config.schedule = FactorSchedule::kReference;
  config.epochs = 5;
  ASSERT_EQ(golden.numel(), 20);
  for (int64_t step = 0; step < 20; ++step) {
    EXPECT_NEAR(FactorLearningRate(config, 20, step), golden[step].item<double>(), 1e-15) << step;
  }
  EXPECT_NEAR(FactorLearningRate(config, 20, 5), 0, 1e-18);
  EXPECT_NEAR(FactorLearningRate(config, 20, 10), 1e-3, 1e-15);
}

TEST(FactorLearningRate, TheCosineGoesDownOnceOverAllSteps) {
  FactorizerConfig config;
  config.lr = 2;
  config.epochs = 5;
  EXPECT_DOUBLE_EQ(FactorLearningRate(config, 20, 0), 2);
  EXPECT_DOUBLE_EQ(FactorLearningRate(config, 20, 10), 1);
  for (int64_t step = 1; step < 20; ++step) {
    EXPECT_LT(FactorLearningRate(config, 20, step), FactorLearningRate(config, 20, step - 1));
  }
  EXPECT_GT(FactorLearningRate(config, 20, 19), 0);
}

TEST(FactorizerConfig, LrAndFactorParamAreTheFormsWhereAbsent) {
  FactorizerConfig config;
  EXPECT_EQ(LrOf(config), 1e-2);
  EXPECT_EQ(FactorParamOf(config), 0);
  config.form = FactorForm::kGram;
  EXPECT_EQ(LrOf(config), 1e-3);
  EXPECT_EQ(FactorParamOf(config), 0.5);
  config.lr = 7;
  config.factor_param = 0;
  EXPECT_EQ(LrOf(config), 7);
  EXPECT_EQ(FactorParamOf(config), 0);
}

TEST(FactorizerConfig, StepsCountTheShortBatch) {
  FactorizerConfig config;
  config.epochs = 3;
  config.batch_size = 50;
  EXPECT_EQ(FactorStepsPerEpoch(config, 200), 4);
  EXPECT_EQ(FactorStepsPerEpoch(config, 201), 5);
  EXPECT_EQ(FactorStepsPerEpoch(config, 49), 1);
  EXPECT_EQ(FactorSteps(config, 201), 15);
  config.batch_size = std::numeric_limits<int64_t>::max();
  EXPECT_EQ(FactorStepsPerEpoch(config, 201), 1);
}

TEST(ValidateFactorizerConfig, NamesTheFieldThatIsWrong) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const std::vector<std::pair<std::string, std::function<void(FactorizerConfig&)>>> wrong = {
      {"factors is 0", [](auto& c) { c.factors = 0; }},
      {"factors is", [](auto& c) { c.factors = int64_t{1} << 31; }},
      {"codes is 0", [](auto& c) { c.codes = 0; }},
      {"codes is 5", [](auto& c) { c.factors = 4; }},
      {"codes is 65", [](auto& c) { c.codes = 65; }},
      {"theta is 0", [](auto& c) { c.theta = 0; }},
      {"theta is -0.3", [](auto& c) { c.theta = -0.3; }},
      {"theta is nan", [&](auto& c) { c.theta = nan; }},
      {"factor_param is -1", [](auto& c) { c.factor_param = -1; }},
      {"epochs is 0", [](auto& c) { c.epochs = 0; }},
      {"epochs is", [](auto& c) { c.epochs = std::numeric_limits<int64_t>::max(); }},
      {"batch_size is 0", [](auto& c) { c.batch_size = 0; }},
      {"lr is 0", [](auto& c) { c.lr = 0; }},
      {"lr is nan", [&](auto& c) { c.lr = nan; }},
      {"weight_decay is -1", [](auto& c) { c.weight_decay = -1; }},
      {"weight_decay is 100", [](auto& c) { c.weight_decay = 100; }},
      {"adam_eps is 0", [](auto& c) { c.adam_eps = 0; }},
  };
  for (const auto& [message, change] : wrong) {
    FactorizerConfig config;
    change(config);
    const absl::Status status = ValidateFactorizerConfig(config);
    EXPECT_THAT(status, IsError(absl::StatusCode::kInvalidArgument, reason::kConfigInvalid)) << message;
    EXPECT_THAT(status, MessageHas(message));
  }
  EXPECT_OK(ValidateFactorizerConfig(FactorizerConfig()));
}

TEST(ValidateFactorizerConfig, CodesAreOfFormTopKOnly) {
  FactorizerConfig config;
  config.form = FactorForm::kGram;
  config.factors = 1;
  config.codes = 0;
  EXPECT_OK(ValidateFactorizerConfig(config));
}

}  // namespace
}  // namespace superpose
