#include "lib/factorization/factorizer.h"

#include <ATen/ATen.h>

#include <cmath>
#include <limits>
#include <memory>

#include "tests/lib/factorization/dense_factorization.h"
#include "tests/status_matchers.h"
#include "tests/support/golden.h"

namespace superpose {
namespace {

constexpr int64_t kDecoders = 130, kWidth = 16;

Budget OneUnit() {
  return Budget([] { return true; });
}

FactorizerConfig SmallConfig(FactorForm form) {
  FactorizerConfig config;
  config.form = form;
  config.factors = 40;
  config.codes = 3;
  config.factor_param = 0.5;
  config.epochs = 4;
  config.batch_size = 50;  // 3 batches an epoch, the last one short
  config.seed = 3;
  return config;
}

FactorizerInputs SmallInputs() { return {SomeUnitRows(kDecoders, kWidth) * 3, {}, {}}; }

std::unique_ptr<Factorizer> NewFactorizer(const FactorizerConfig& config,
                                          const FactorizerInputs& inputs = SmallInputs()) {
  auto factorizer = Factorizer::Create(inputs, config);
  EXPECT_TRUE(factorizer.ok()) << factorizer.status().ToString();
  return factorizer.ok() ? *std::move(factorizer) : nullptr;
}

void RunToStep(Factorizer& factorizer, int64_t step) {
  const Budget at_step([&] { return factorizer.step() >= step; });
  ASSERT_OK(factorizer.RunSlice(at_step));
  ASSERT_EQ(factorizer.step(), step);
  ASSERT_TRUE(factorizer.at_step_boundary());
}

TensorMap Copy(const TensorMap& tensors) {
  TensorMap copy;
  for (const auto& [name, tensor] : tensors) copy[name] = tensor.clone();
  return copy;
}

void ExpectEqual(const TensorMap& actual, const TensorMap& expected) {
  ASSERT_EQ(actual.size(), expected.size());
  for (const auto& [name, tensor] : expected) EXPECT_TRUE(at::equal(actual.at(name), tensor)) << name;
}

class GoldenFactorizer : public testing::Test {
 protected:
  void SetUp() override {
    golden_ = GoldenTensors("tiny_factorizer_f64.safetensors");
    ASSERT_FALSE(golden_.empty());
    config_.form = FactorForm::kGram;
    config_.factors = 96;
    config_.epochs = 5;
    config_.batch_size = 50;
    config_.schedule = FactorSchedule::kReference;
  }
  FactorizerInputs Inputs() const { return {golden_.at("decoders_raw"), golden_.at("F_init"), golden_.at("perms")}; }
  TensorMap golden_;
  FactorizerConfig config_;
};

TEST_F(GoldenFactorizer, FactorsAfterOneAndFiveEpochs) {
  const auto factorizer = NewFactorizer(config_, Inputs());
  EXPECT_LT(LargestError(factorizer->decoders(), golden_.at("decoders_unit")), 1e-7);
  RunToStep(*factorizer, 4);
  EXPECT_LT(RelativeError(factorizer->CheckpointTensors().at("factors"), golden_.at("F_after_1_epoch")), 2e-7);
  RunToStep(*factorizer, 20);
  EXPECT_LT(RelativeError(factorizer->CheckpointTensors().at("factors"), golden_.at("F_after_5_epochs")), 2e-7);
  EXPECT_LT(RelativeError(factorizer->UnitFactors(), golden_.at("F_unit_after_5")), 3e-7);
}

TEST_F(GoldenFactorizer, LossesAndLearningRates) {
  const auto factorizer = NewFactorizer(config_, Inputs());
  ASSERT_OK_AND_ASSIGN(const bool done, factorizer->RunSlice(Budget::Unlimited()));
  EXPECT_TRUE(done);
  const std::vector<FactorizerLoss> history = factorizer->HistorySince(0);
  ASSERT_EQ(history.size(), 20);
  for (int64_t i = 0; i < 20; ++i) {
    EXPECT_EQ(history[i].step, i + 1);
    EXPECT_EQ(history[i].epoch, i / 4 + 1);
    EXPECT_NEAR(history[i].lr, golden_.at("lr_per_batch")[i].item<double>(), 1e-15);
    const std::vector<double> actual = {history[i].loss, history[i].decoder_loss, history[i].factor_loss};
    for (int64_t column = 0; column < 3; ++column) {
      const double expected = golden_.at("losses_per_batch")[i][column].item<double>();
      EXPECT_NEAR(actual[column], expected, 1e-6 * expected) << "step " << i + 1 << " column " << column;
    }
  }
}

// AdamW's first moment after the first step is a tenth of the gradient.
TEST_F(GoldenFactorizer, TheFirstGradient) {
  const auto factorizer = NewFactorizer(config_, Inputs());
  RunToStep(*factorizer, 1);
  const at::Tensor gradient = factorizer->CheckpointTensors().at("factors.exp_avg") * 10;
  EXPECT_LT(RelativeError(gradient, golden_.at("grad_first_batch")), 3e-6);
}

class FactorizerForms : public testing::TestWithParam<FactorForm> {};
INSTANTIATE_TEST_SUITE_P(Forms, FactorizerForms, testing::Values(FactorForm::kTopK, FactorForm::kGram),
                         [](const auto& info) { return info.param == FactorForm::kTopK ? "TopK" : "Gram"; });

TEST_P(FactorizerForms, SlicesChangeNoNumber) {
  const auto whole = NewFactorizer(SmallConfig(GetParam())), sliced = NewFactorizer(SmallConfig(GetParam()));
  ASSERT_OK(whole->RunSlice(Budget::Unlimited()));
  int slices = 0;
  for (bool done = false; !done; ++slices) {
    ASSERT_OK_AND_ASSIGN(done, sliced->RunSlice(OneUnit()));
  }
  EXPECT_GT(slices, 12 * 4);  // a step is several units
  ExpectEqual(sliced->CheckpointTensors(), whole->CheckpointTensors());
}

TEST_P(FactorizerForms, ARunThatWasResumedIsTheSameRun) {
  const FactorizerConfig config = SmallConfig(GetParam());
  const auto whole = NewFactorizer(config);
  ASSERT_OK(whole->RunSlice(Budget::Unlimited()));
  for (const int64_t step : {0, 1, 3, 5, 11}) {
    const auto first = NewFactorizer(config), second = NewFactorizer(config);
    if (step > 0) RunToStep(*first, step);
    const TensorMap tensors = Copy(first->CheckpointTensors());
    ASSERT_OK(second->RunSlice(OneUnit()));  // in the middle of a step
    ASSERT_OK(second->Restore(tensors, first->CheckpointMetadata()));
    EXPECT_EQ(second->step(), step);
    ASSERT_OK(second->RunSlice(Budget::Unlimited()));
    ExpectEqual(second->CheckpointTensors(), whole->CheckpointTensors());
    EXPECT_EQ(second->HistorySince(0).size(), 12 - step);
    EXPECT_EQ(second->HistorySince(0).back().loss, whole->HistorySince(0).back().loss);
  }
}

TEST_P(FactorizerForms, SeedsDecideStartAndOrder) {
  FactorizerConfig config = SmallConfig(GetParam());
  const auto one = NewFactorizer(config), same = NewFactorizer(config);
  config.seed = 4;
  const auto other = NewFactorizer(config);
  ExpectEqual(one->CheckpointTensors(), same->CheckpointTensors());
  EXPECT_FALSE(at::equal(one->UnitFactors(), other->UnitFactors()));
}

TEST_P(FactorizerForms, TheLossFalls) {
  FactorizerConfig config = SmallConfig(GetParam());
  config.epochs = 40;
  config.lr = 1e-2;
  const auto factorizer = NewFactorizer(config);
  ASSERT_OK(factorizer->RunSlice(Budget::Unlimited()));
  const std::vector<FactorizerLoss> history = factorizer->HistorySince(0);
  ASSERT_EQ(history.size(), 120);
  const auto first_epoch = history[0].loss + history[1].loss, last_epoch = history[117].loss + history[118].loss;
  EXPECT_LT(last_epoch, 0.9 * first_epoch);
  for (const FactorizerLoss& loss : history) EXPECT_DOUBLE_EQ(loss.loss, loss.decoder_loss + 0.5 * loss.factor_loss);
}

TEST_P(FactorizerForms, FactorsAreUnitRows) {
  const auto factorizer = NewFactorizer(SmallConfig(GetParam()));
  ASSERT_OK(factorizer->RunSlice(Budget::Unlimited()));
  const at::Tensor norms = factorizer->UnitFactors().norm(2, at::IntArrayRef{1});
  EXPECT_LT(LargestError(norms, at::ones({40})), 1e-6);
}

TEST_P(FactorizerForms, DivergenceIsAnErrorThatStays) {
  FactorizerConfig config = SmallConfig(GetParam());
  config.lr = 1e38;
  const auto factorizer = NewFactorizer(config);
  const absl::Status status = factorizer->RunSlice(Budget::Unlimited()).status();
  EXPECT_THAT(status, IsError(absl::StatusCode::kFailedPrecondition, reason::kTrainingDiverged));
  EXPECT_EQ(factorizer->RunSlice(Budget::Unlimited()).status(), status);
}

TEST_P(FactorizerForms, TwoDecodersAndOneFactor) {
  FactorizerConfig config = SmallConfig(GetParam());
  config.factors = config.codes = 1;
  const auto factorizer = NewFactorizer(config, {SomeUnitRows(2, 3), {}, {}});
  EXPECT_OK(factorizer->RunSlice(Budget::Unlimited()));
}

TEST_P(FactorizerForms, MoreFactorsThanDecoders) {
  FactorizerConfig config = SmallConfig(GetParam());
  config.factors = 200;
  const auto factorizer = NewFactorizer(config);
  EXPECT_OK(factorizer->RunSlice(Budget::Unlimited()));
}

TEST(Factorizer, TopKStartsAtDistinctDecoders) {
  const auto factorizer = NewFactorizer(SmallConfig(FactorForm::kTopK));
  const at::Tensor similarities = factorizer->UnitFactors().mm(factorizer->decoders().t());
  const auto [largest, ids] = similarities.max(1);
  EXPECT_LT(LargestError(largest, at::ones({40})), 1e-5);
  EXPECT_EQ(std::get<0>(at::_unique(ids)).numel(), 40);
  const at::Tensor lengths = factorizer->CheckpointTensors().at("factors").norm(2, at::IntArrayRef{1});
  EXPECT_LT(LargestError(lengths, at::full({40}, std::sqrt(kWidth))), 1e-5);
}

// Few parts may stay mixed, as in any dictionary; what they make up must be small.
TEST(Factorizer, TopKFindsWhatDecodersAreMadeOf) {
  const MadeOfParts made = RowsOfTwoParts(400);
  FactorizerConfig config = SmallConfig(FactorForm::kTopK);
  config.factors = 12;
  config.codes = 2;
  config.factor_param = 0;
  config.epochs = 100;
  const auto factorizer = NewFactorizer(config, {made.rows, {}, {}});
  ASSERT_OK(factorizer->RunSlice(Budget::Unlimited()));
  EXPECT_LT(factorizer->HistorySince(0).back().loss, 0.25);
  EXPECT_EQ(factorizer->HistorySince(0).back().factor_loss, 0);
  const at::Tensor parts = made.parts.to(at::kFloat);
  EXPECT_GT(std::get<0>(parts.mm(factorizer->UnitFactors().t()).abs().max(1)).median().item<double>(), 0.98);
}

TEST(Factorizer, HistoryIsForgottenUpToAStep) {
  const auto factorizer = NewFactorizer(SmallConfig(FactorForm::kGram));
  RunToStep(*factorizer, 5);
  factorizer->ForgetHistoryUpTo(3);
  ASSERT_EQ(factorizer->HistorySince(0).size(), 2);
  EXPECT_EQ(factorizer->HistorySince(0)[0].step, 4);
  EXPECT_EQ(factorizer->HistorySince(4).size(), 1);
}

}  // namespace
}  // namespace superpose
