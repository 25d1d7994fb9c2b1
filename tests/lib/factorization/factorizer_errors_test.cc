// What a Factorizer refuses, and that a refused checkpoint changes nothing.
#include <ATen/ATen.h>

#include <functional>
#include <limits>
#include <memory>

#include "lib/factorization/factorizer.h"
#include "tests/lib/factorization/dense_factorization.h"
#include "tests/status_matchers.h"

namespace superpose {
namespace {

using testing::AllOf;
constexpr absl::StatusCode kInvalid = absl::StatusCode::kInvalidArgument;
constexpr absl::StatusCode kPrecondition = absl::StatusCode::kFailedPrecondition;

FactorizerConfig Config() {
  FactorizerConfig config;
  config.factors = 6;
  config.codes = 2;
  config.epochs = 2;
  config.batch_size = 8;
  return config;
}

absl::Status CreateWith(const at::Tensor& decoders, const at::Tensor& start = {}, const at::Tensor& orders = {}) {
  return Factorizer::Create({decoders, start, orders}, Config()).status();
}

// With the other form's name and nothing else changed.
FactorizerConfig InForm(FactorizerConfig config, FactorForm form) {
  config.lr = LrOf(config);
  config.factor_param = FactorParamOf(config);
  config.form = form;
  return config;
}

TEST(FactorizerErrors, DecodersThatAreNone) {
  EXPECT_THAT(CreateWith({}), IsError(kInvalid, reason::kTensorShapeMismatch));
  EXPECT_THAT(CreateWith(at::ones({8})), IsError(kInvalid, reason::kTensorShapeMismatch));
  EXPECT_THAT(CreateWith(at::ones({8, 0})), IsError(kInvalid, reason::kTensorShapeMismatch));
  EXPECT_THAT(CreateWith(at::ones({8, 3}, at::kLong)), IsError(kInvalid, reason::kTensorShapeMismatch));
}

TEST(FactorizerErrors, NoDecodersOrOne) {
  for (const int64_t n : {0, 1}) {
    EXPECT_THAT(CreateWith(at::ones({n, 3})),
                AllOf(IsError(kPrecondition, reason::kEmptySelection), MessageHas("2 or more")));
  }
}

TEST(FactorizerErrors, ADecoderThatIsZeroOrNan) {
  at::Tensor decoders = SomeUnitRows(20, 5);
  decoders[7].zero_();
  EXPECT_THAT(CreateWith(decoders), AllOf(IsError(kInvalid, reason::kConfigInvalid), MessageHas("7")));
  decoders[3][2] = std::numeric_limits<double>::quiet_NaN();
  EXPECT_THAT(CreateWith(decoders), AllOf(IsError(kInvalid, reason::kTensorNotFinite), MessageHas("3")));
}

TEST(FactorizerErrors, ConfigIsCheckedFirst) {
  FactorizerConfig config = Config();
  config.theta = 0;
  EXPECT_THAT(Factorizer::Create({{}, {}, {}}, config),
              AllOf(IsError(kInvalid, reason::kConfigInvalid), MessageHas("theta")));
}

TEST(FactorizerErrors, AStartThatIsNone) {
  const at::Tensor decoders = SomeUnitRows(20, 5);
  EXPECT_THAT(CreateWith(decoders, at::ones({6, 4})),
              AllOf(IsError(kInvalid, reason::kTensorShapeMismatch), MessageHas("[6, 5]")));
  EXPECT_THAT(CreateWith(decoders, at::zeros({6, 5})),
              AllOf(IsError(kInvalid, reason::kConfigInvalid), MessageHas("start")));
  EXPECT_OK(CreateWith(decoders, at::ones({6, 5})));
}

TEST(FactorizerErrors, OrdersThatAreNone) {
  const at::Tensor decoders = SomeUnitRows(20, 5);
  const at::Tensor right = at::stack({at::arange(20), at::arange(20).flip(0)});
  EXPECT_OK(CreateWith(decoders, {}, right.to(at::kInt)));
  EXPECT_THAT(CreateWith(decoders, {}, right.narrow(0, 0, 1)), IsError(kInvalid, reason::kTensorShapeMismatch));
  EXPECT_THAT(CreateWith(decoders, {}, right.to(at::kFloat)), IsError(kInvalid, reason::kTensorShapeMismatch));
  EXPECT_THAT(CreateWith(decoders, {}, right + 1), IsError(kInvalid, reason::kConfigInvalid));
  at::Tensor twice = right.clone();
  twice[1][0] = 3;
  EXPECT_THAT(CreateWith(decoders, {}, twice), IsError(kInvalid, reason::kConfigInvalid));
}

TEST(FactorizerErrors, MoreFactorsThanThereIsMemoryFor) {
  FactorizerConfig config = Config();
  config.factors = (int64_t{1} << 31) - 1;
  EXPECT_THAT(Factorizer::Create({SomeUnitRows(20, 4096), {}, {}}, config),
              IsError(absl::StatusCode::kResourceExhausted, reason::kOutOfMemory));
}

class FactorizerRestore : public testing::Test {
 protected:
  void SetUp() override {
    factorizer_ = New(Config());
    ASSERT_OK(factorizer_->RunSlice(Budget([&] { return factorizer_->step() == 2; })));
    for (const auto& [name, tensor] : factorizer_->CheckpointTensors()) tensors_[name] = tensor.clone();
    metadata_ = factorizer_->CheckpointMetadata();
  }
  static std::unique_ptr<Factorizer> New(const FactorizerConfig& config, double step = 1) {
    auto factorizer = Factorizer::Create({SomeUnitRows(20, 5, step), {}, {}}, config);
    EXPECT_TRUE(factorizer.ok()) << factorizer.status().ToString();
    return *std::move(factorizer);
  }
  // Restores what was changed; nothing may have moved.
  void ExpectRefused(const std::string& wanted_reason, const std::string& message = "") {
    const absl::Status status = factorizer_->Restore(tensors_, metadata_);
    EXPECT_EQ(ReasonOf(status), wanted_reason) << status.ToString();
    EXPECT_THAT(status, MessageHas(message));
    EXPECT_EQ(factorizer_->step(), 2);
  }
  std::unique_ptr<Factorizer> factorizer_;
  TensorMap tensors_;
  StringMap metadata_;
};

TEST_F(FactorizerRestore, ACheckpointOfOtherInputsOrSettings) {
  const std::vector<std::pair<std::string, std::function<void(FactorizerConfig&)>>> others = {
      {"config.form", [](auto& c) { c = InForm(c, FactorForm::kGram); }},
      {"config.factors", [](auto& c) { c.factors = 7; }},
      {"config.codes", [](auto& c) { c.codes = 3; }},
      {"config.theta", [](auto& c) { c.theta = 0.4; }},
      {"config.factor_param", [](auto& c) { c.factor_param = 1; }},
      {"config.epochs", [](auto& c) { c.epochs = 3; }},
      {"config.batch_size", [](auto& c) { c.batch_size = 9; }},
      {"config.lr", [](auto& c) { c.lr = 1; }},
      {"config.weight_decay", [](auto& c) { c.weight_decay = 0.1; }},
      {"config.adam_eps", [](auto& c) { c.adam_eps = 1e-6; }},
      {"config.schedule", [](auto& c) { c.schedule = FactorSchedule::kReference; }},
      {"config.seed", [](auto& c) { c.seed = 1; }},
  };
  for (const auto& [field, change] : others) {
    FactorizerConfig config = Config();
    change(config);
    EXPECT_THAT(New(config)->Restore(tensors_, metadata_),
                AllOf(IsError(kPrecondition, reason::kInputChanged), MessageHas(field)));
  }
  EXPECT_THAT(New(Config(), 1.5)->Restore(tensors_, metadata_),
              AllOf(IsError(kPrecondition, reason::kInputChanged), MessageHas("decoders")));
}

TEST_F(FactorizerRestore, StartsAndOrdersAreRemembered) {
  FactorizerInputs inputs{SomeUnitRows(20, 5), at::ones({6, 5}), {}};
  ASSERT_OK_AND_ASSIGN(const auto with_start, Factorizer::Create(inputs, Config()));
  EXPECT_THAT(factorizer_->Restore(with_start->CheckpointTensors(), with_start->CheckpointMetadata()),
              AllOf(IsError(kPrecondition, reason::kInputChanged), MessageHas("start")));
  inputs = {SomeUnitRows(20, 5), {}, at::stack({at::arange(20), at::arange(20)})};
  ASSERT_OK_AND_ASSIGN(const auto with_orders, Factorizer::Create(inputs, Config()));
  EXPECT_THAT(with_orders->Restore(tensors_, metadata_),
              AllOf(IsError(kPrecondition, reason::kInputChanged), MessageHas("orders")));
}

TEST_F(FactorizerRestore, AnotherFormat) {
  metadata_["format"] = "superpose-midcoder-checkpoint-1";
  ExpectRefused("FILE_UNSUPPORTED");
}
TEST_F(FactorizerRestore, AStepThatIsNone) {
  metadata_["step"] = "-1";
  ExpectRefused("FILE_CORRUPT");
  metadata_["step"] = "7";
  ExpectRefused("FILE_CORRUPT", "7 of 6");
  metadata_.erase("step");
  ExpectRefused("FILE_CORRUPT");
}
TEST_F(FactorizerRestore, TensorsThatAreWrong) {
  const TensorMap right = tensors_;
  tensors_.erase("factors.exp_avg_sq");
  ExpectRefused("TENSOR_MISSING", "factors.exp_avg_sq");
  tensors_ = right;
  tensors_["factors"] = at::ones({5, 6});
  ExpectRefused("TENSOR_SHAPE_MISMATCH");
  tensors_["factors"] = at::ones({6, 5}, at::kDouble);
  ExpectRefused("TENSOR_SHAPE_MISMATCH");
  tensors_["factors"] = at::full({6, 5}, NAN);
  ExpectRefused("TENSOR_NOT_FINITE");
}
TEST_F(FactorizerRestore, TheRightOneIsTaken) { EXPECT_OK(factorizer_->Restore(tensors_, metadata_)); }

TEST_F(FactorizerRestore, FactorsThatAreNotFiniteAreToldBeforeACheckpointIsWritten) {
  EXPECT_OK(factorizer_->CheckFinite());
  factorizer_->CheckpointTensors().at("factors")[2][1] = std::numeric_limits<double>::infinity();
  EXPECT_THAT(factorizer_->CheckFinite(), IsError(kPrecondition, reason::kTrainingDiverged));
}

}  // namespace
}  // namespace superpose
