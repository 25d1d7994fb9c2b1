// What a factorization refuses, and what it does not go on from.
#include <cmath>
#include <functional>
#include <limits>
#include <map>
#include <string>

#include "lib/base/error.h"
#include "tests/lib/factorization/factorization_run_rig.h"

namespace superpose {
namespace {

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;
constexpr auto kPrecondition = absl::StatusCode::kFailedPrecondition;

using Change = std::function<void(FactorizationRunConfig& config)>;

absl::Status CreateWith(const Change& change, FactorizationRunInputs inputs = SmallRunInputs()) {
  FactorizationRunConfig config = SmallRun();
  change(config);
  return FactorizationRun::Create(std::move(inputs), config).status();
}

TEST(FactorizationRunErrors, NameTheField) {
  const double nan = std::nan("");
  const std::map<std::string, std::vector<Change>> wrong = {
      {"held_out_share",
       {[](auto& c) { c.held_out_share = 1; }, [](auto& c) { c.held_out_share = -0.1; },
        [nan](auto& c) { c.held_out_share = nan; }}},
      {"stability_runs", {[](auto& c) { c.stability_runs = 11; }, [](auto& c) { c.stability_runs = -1; }}},
      {"duplicate_cosine",
       {[](auto& c) { c.duplicate_cosine = 0; }, [](auto& c) { c.duplicate_cosine = 1.01; },
        [nan](auto& c) { c.duplicate_cosine = nan; }}},
      {"epochs", {[](auto& c) { c.factorizer.epochs = 0; }, [](auto& c) { c.factorizer.epochs = -1; }}},
      {"factors", {[](auto& c) { c.factorizer.factors = 0; }}},
      {"codes", {[](auto& c) { c.factorizer.codes = 65; }}},
      {"theta", {[](auto& c) { c.factorizer.theta = 0; }}},
      {"lr", {[](auto& c) { c.factorizer.lr = -1; }}},
  };
  for (const auto& [field, changes] : wrong) {
    for (const Change& change : changes) {
      const absl::Status status = CreateWith(change);
      EXPECT_THAT(status, IsError(kInvalid, reason::kConfigInvalid));
      EXPECT_THAT(status, MessageHas(field));
    }
  }
}

TEST(FactorizationRunErrors, TheEdgesOfWhatIsAllowedAreAllowed) {
  EXPECT_OK(CreateWith([](auto& c) { c.held_out_share = 0.999; }));
  EXPECT_OK(CreateWith([](auto& c) { c.stability_runs = 10; }));
  EXPECT_OK(CreateWith([](auto& c) { c.duplicate_cosine = 1; }));
}

TEST(FactorizationRunErrors, WithAStartThereAreNoOtherSeeds) {
  const absl::Status status = CreateWith([](auto&) {}, {SmallRunInputs().directions, SomeUnitRows(9, kRunWidth)});
  EXPECT_THAT(status, IsError(kInvalid, reason::kConfigInvalid));
  EXPECT_THAT(status, MessageHas("stability_runs"));
}

TEST(FactorizationRunErrors, AStartMustFitTheDecoders) {
  const auto with = [](const at::Tensor& start, int64_t epochs) {
    return CreateWith(
        [epochs](auto& c) {
          c.stability_runs = 0;
          c.factorizer.epochs = epochs;
        },
        {SmallRunInputs().directions, start});
  };
  for (const int64_t epochs : {0, 4}) {
    const auto is_shape = IsError(kInvalid, reason::kTensorShapeMismatch);
    EXPECT_THAT(with(SomeUnitRows(9, kRunWidth + 1), epochs), is_shape);
    EXPECT_THAT(with(at::ones({kRunWidth}), epochs), is_shape);
    EXPECT_THAT(with(at::ones({9, kRunWidth}, at::kLong), epochs), is_shape);
    at::Tensor start = SomeUnitRows(9, kRunWidth);
    start[3].zero_();
    EXPECT_THAT(with(start, epochs), IsError(kInvalid, reason::kConfigInvalid));
    start[3][2] = std::nan("");
    EXPECT_THAT(with(start, epochs), IsError(kInvalid, reason::kTensorNotFinite));
    EXPECT_OK(with(SomeUnitRows(9, kRunWidth), epochs));
  }
}

TEST(FactorizationRunErrors, OfDecodersThatPointNowhereOrAreTooFew) {
  const auto of = [](const at::Tensor& directions) {
    return CreateWith([](auto& c) { c.factorizer.factors = 3; }, {directions, {}});
  };
  at::Tensor rows = SomeUnitRows(20, 8);
  rows[4].zero_();
  EXPECT_THAT(of(rows), IsError(kInvalid, reason::kConfigInvalid));
  rows[4][0] = std::numeric_limits<double>::infinity();
  EXPECT_THAT(of(rows), IsError(kInvalid, reason::kTensorNotFinite));
  EXPECT_THAT(of(SomeUnitRows(1, 8)), IsError(kPrecondition, reason::kEmptySelection));
  EXPECT_THAT(of(at::empty({0, 8})), IsError(kPrecondition, reason::kEmptySelection));
  EXPECT_THAT(of(at::ones({8})), IsError(kInvalid, reason::kTensorShapeMismatch));
  EXPECT_OK(of(SomeUnitRows(2, 8)));
}

TEST(FactorizationRunErrors, ARunThatDivergedStaysSo) {
  FactorizationRunConfig config = SmallRun();
  config.factorizer.lr = 1e300;
  const auto run = NewRun(config);
  for (int i = 0; i < 2; ++i) {
    EXPECT_THAT(run->RunSlice(Budget::Unlimited()), IsError(kPrecondition, reason::kTrainingDiverged));
  }
}

class FactorizationRunRestore : public testing::Test {
 protected:
  // In the middle of the second fit.
  void SetUp() override {
    const auto run = NewRun(SmallRun());
    while (run->steps_done() < 15) ASSERT_OK(run->RunSlice(OneUnitOfRun()));
    ASSERT_TRUE(run->at_boundary());
    tensors_ = CopyOf(run->CheckpointTensors());
    metadata_ = run->CheckpointMetadata();
  }
  // What restoring says; the run is as it was if it fails.
  absl::Status Restore(const FactorizationRunConfig& config = SmallRun(),
                       FactorizationRunInputs inputs = SmallRunInputs()) {
    const auto run = NewRun(config, std::move(inputs));
    const absl::Status status = run->Restore(tensors_, metadata_);
    EXPECT_EQ(run->steps_done(), status.ok() ? 15 : 0);
    EXPECT_EQ(run->history().size(), status.ok() ? 12 : 0);
    return status;
  }
  TensorMap tensors_;
  StringMap metadata_;
};

TEST_F(FactorizationRunRestore, OfOtherDecodersOrSettingsIsRefused) {
  const auto is_changed = IsError(kPrecondition, reason::kInputChanged);
  EXPECT_OK(Restore());
  EXPECT_THAT(Restore(SmallRun(), {SomeUnitRows(kRunDecoders, kRunWidth, 1.5), {}}), is_changed);
  const std::vector<Change> changes = {
      [](auto& c) { c.held_out_share = 0.2; },   [](auto& c) { c.stability_runs = 1; },
      [](auto& c) { c.duplicate_cosine = 0.9; }, [](auto& c) { c.factorizer.seed = 4; },
      [](auto& c) { c.factorizer.epochs = 5; },  [](auto& c) { c.factorizer.factors = 41; },
      [](auto& c) { c.factorizer.codes = 4; },   [](auto& c) { c.factorizer.form = FactorForm::kGram; },
      [](auto& c) { c.factorizer.lr = 0.02; }};
  for (const Change& change : changes) {
    FactorizationRunConfig config = SmallRun();
    change(config);
    EXPECT_THAT(Restore(config), is_changed);
  }
}

TEST_F(FactorizationRunRestore, OfWhatIsDamagedIsRefused) {
  const TensorMap whole = tensors_;
  for (const auto& [name, tensor] : whole) {
    tensors_ = whole;
    tensors_.erase(name);
    EXPECT_THAT(Restore(), IsError(kInvalid, reason::kTensorMissing)) << name;
    tensors_[name] = tensor.narrow(0, 0, tensor.size(0) - 1);
    EXPECT_THAT(Restore(), IsError(kInvalid, reason::kTensorShapeMismatch)) << name;
    tensors_[name] = tensor.to(at::kHalf);
    EXPECT_THAT(Restore(), IsError(kInvalid, reason::kTensorShapeMismatch)) << name;
    tensors_[name] = at::full_like(tensor, std::nan(""));
    EXPECT_THAT(Restore(), IsError(kInvalid, reason::kTensorNotFinite)) << name;
  }
}

TEST_F(FactorizationRunRestore, OfMetadataThatMakeNoSenseIsRefused) {
  const StringMap whole = metadata_;
  for (const char* fits_done : {"-1", "4", "x", "3"}) {
    metadata_["fits_done"] = fits_done;
    EXPECT_THAT(Restore(), IsError(kInvalid, reason::kFileCorrupt)) << fits_done;
  }
  metadata_ = whole;
  metadata_["format"] = "superpose-factorizer-checkpoint-1";
  EXPECT_THAT(Restore(), IsError(kPrecondition, reason::kFileUnsupported));
  metadata_ = whole;
  metadata_["fit.step"] = "13";
  EXPECT_THAT(Restore(), IsError(kInvalid, reason::kFileCorrupt));
}

}  // namespace
}  // namespace superpose
