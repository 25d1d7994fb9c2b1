#include "lib/factorization/factorization_quality.h"

#include <ATen/ATen.h>

#include <limits>

#include "lib/factorization/factorizer.h"
#include "tests/lib/factorization/dense_factorization.h"
#include "tests/status_matchers.h"
#include "tests/support/counting_allocator.h"
#include "tests/support/golden.h"

namespace superpose {
namespace {

using testing::AllOf;
constexpr absl::StatusCode kInvalid = absl::StatusCode::kInvalidArgument;

FactorizationQuality Measure(const QualityInputs& inputs, const QualitySettings& settings,
                             const Budget& budget = Budget::Unlimited()) {
  auto meter = QualityMeter::Create(inputs, settings);
  EXPECT_TRUE(meter.ok()) << meter.status().ToString();
  for (bool done = false; !done;) {
    auto slice = (*meter)->RunSlice(budget);
    EXPECT_TRUE(slice.ok()) << slice.status().ToString();
    done = !slice.ok() || *slice;
  }
  EXPECT_EQ((*meter)->parts_done(), (*meter)->parts());
  EXPECT_EQ((*meter)->parts(), QualityMeter::PartsOf(inputs.held_out.defined()));
  return (*meter)->quality();
}

QualitySettings Settings(FactorForm form) {
  QualitySettings settings;
  settings.rule = {.form = form, .codes = 3, .theta = 0.3};
  return settings;
}

QualityInputs SomeInputs() { return {SomeUnitRows(30, 12, 1.3), SomeUnitRows(200, 12) * 2, SomeUnitRows(50, 12, 1.9)}; }

TEST(QualityMeter, MeasuresFactorsOnFittedAndHeldOutDecoders) {
  for (const FactorForm form : {FactorForm::kTopK, FactorForm::kGram}) {
    const QualitySettings settings = Settings(form);
    const FactorizationQuality quality = Measure(SomeInputs(), settings);
    const at::Tensor factors = SomeUnitRows(30, 12, 1.3).to(at::kFloat);
    Explainer held_out(settings.rule, SomeUnitRows(50, 12, 1.9).to(at::kFloat), factors);
    while (!held_out.RunUnit()) continue;
    EXPECT_EQ(quality.fitted.error.numel(), 200);
    ASSERT_TRUE(quality.held_out.has_value());
    EXPECT_LT(LargestError(quality.held_out->error, held_out.explanation().error), 1e-5);
    EXPECT_EQ(quality.dead, quality.fitted.uses.eq(0).sum().item<int64_t>());
  }
}

TEST(QualityMeter, CountsDeadAndDuplicateFactors) {
  const at::Tensor eye = at::eye(12, at::kDouble);
  const at::Tensor factors = at::cat({eye.narrow(0, 0, 4), eye.narrow(0, 1, 1), eye.narrow(0, 11, 1)});
  const at::Tensor decoders = at::cat({eye.narrow(0, 0, 4), eye.narrow(0, 0, 2)});
  const FactorizationQuality quality = Measure({factors, decoders, {}}, Settings(FactorForm::kTopK));
  EXPECT_EQ(quality.duplicates, 1);
  EXPECT_EQ(quality.dead, 2);  // the duplicate, which comes second, and the last
  EXPECT_FALSE(quality.held_out.has_value());
  EXPECT_FALSE(quality.k_means.held_out.has_value());
}

TEST(QualityMeter, BaselinesAreExplainedByTheSameRule) {
  const FactorizationQuality quality = Measure(SomeInputs(), Settings(FactorForm::kTopK));
  EXPECT_EQ(quality.k_means.directions, 30);
  EXPECT_EQ(quality.pca.directions, 12);  // no more than there are dimensions
  for (const BaselineQuality* baseline : {&quality.k_means, &quality.pca}) {
    EXPECT_EQ(baseline->fitted.decoders, 200);
    EXPECT_EQ(baseline->held_out->decoders, 50);
    EXPECT_LE(baseline->fitted.mean_codes, 3);
    EXPECT_GT(baseline->fitted.mean_error, 0);
    EXPECT_LT(baseline->fitted.mean_error, 1);
  }
  // In form gram all principal directions together leave nothing.
  EXPECT_LT(Measure(SomeInputs(), Settings(FactorForm::kGram)).pca.fitted.mean_error, 1e-5);
}

TEST(QualityMeter, AFactorizationIsBetterThanItsBaselines) {
  const at::Tensor decoders = RowsOfTwoParts(450).rows;
  ASSERT_OK_AND_ASSIGN(const DecoderSplit split, SplitDecoders(450, 0.1, 0));
  FactorizerConfig config;
  config.factors = 12;
  config.codes = 2;
  config.batch_size = 50;
  const at::Tensor fitted = decoders.index_select(0, split.fitted), held_out = decoders.index_select(0, split.held_out);
  ASSERT_OK_AND_ASSIGN(const auto factorizer, Factorizer::Create({fitted, {}, {}}, config));
  ASSERT_OK(factorizer->RunSlice(Budget::Unlimited()));
  QualitySettings settings;
  settings.rule.codes = 2;
  const FactorizationQuality quality = Measure({factorizer->UnitFactors(), fitted, held_out}, settings);
  const double error = Summarize(*quality.held_out).mean_error;
  EXPECT_LT(error, 0.8 * quality.k_means.held_out->mean_error);
  EXPECT_LT(error, 0.5 * quality.pca.held_out->mean_error);
}

TEST(QualityMeter, SlicesChangeNoNumber) {
  const FactorizationQuality whole = Measure(SomeInputs(), Settings(FactorForm::kTopK));
  const FactorizationQuality sliced = Measure(SomeInputs(), Settings(FactorForm::kTopK), Budget([] { return true; }));
  EXPECT_TRUE(at::equal(whole.fitted.error, sliced.fitted.error));
  EXPECT_TRUE(at::equal(whole.fitted.ids, sliced.fitted.ids));
  EXPECT_EQ(whole.k_means.fitted.mean_error, sliced.k_means.fitted.mean_error);
  EXPECT_EQ(whole.pca.held_out->mean_error, sliced.pca.held_out->mean_error);
}

TEST(QualityMeter, RefusesWhatIsWrong) {
  QualitySettings settings = Settings(FactorForm::kTopK);
  QualityInputs inputs = SomeInputs();
  inputs.held_out = SomeUnitRows(5, 11);
  EXPECT_THAT(QualityMeter::Create(inputs, settings),
              AllOf(IsError(kInvalid, reason::kTensorShapeMismatch), MessageHas("width 11")));
  inputs.held_out = at::zeros({5, 12});
  EXPECT_THAT(QualityMeter::Create(inputs, settings),
              AllOf(IsError(kInvalid, reason::kConfigInvalid), MessageHas("held out")));
  inputs.held_out = at::full({5, 12}, NAN);
  EXPECT_THAT(QualityMeter::Create(inputs, settings), IsError(kInvalid, reason::kTensorNotFinite));
  inputs = SomeInputs();
  inputs.decoders = at::zeros({0, 12});
  EXPECT_THAT(QualityMeter::Create(inputs, settings),
              IsError(absl::StatusCode::kFailedPrecondition, reason::kEmptySelection));
  settings.rule.codes = 0;
  EXPECT_THAT(QualityMeter::Create(SomeInputs(), settings),
              AllOf(IsError(kInvalid, reason::kConfigInvalid), MessageHas("codes is 0")));
  settings = Settings(FactorForm::kGram);
  settings.rule.theta = -1;
  EXPECT_THAT(QualityMeter::Create(SomeInputs(), settings), MessageHas("theta is -1"));
  settings = Settings(FactorForm::kGram);
  settings.duplicate_cosine = 1.5;
  EXPECT_THAT(QualityMeter::Create(SomeInputs(), settings), MessageHas("duplicate_cosine is 1.5"));
}

TEST(SplitDecoders, GivesEachDecoderToOneSide) {
  ASSERT_OK_AND_ASSIGN(const DecoderSplit split, SplitDecoders(101, 0.1, 7));
  EXPECT_EQ(split.held_out.numel(), 10);
  const at::Tensor all = std::get<0>(at::cat({split.fitted, split.held_out}).sort());
  EXPECT_TRUE(at::equal(all, at::arange(101, at::kLong)));
  EXPECT_TRUE(split.fitted.diff().gt(0).all().item<bool>());
  ASSERT_OK_AND_ASSIGN(const DecoderSplit other, SplitDecoders(101, 0.1, 8));
  EXPECT_FALSE(at::equal(split.held_out, other.held_out));
}

TEST(SplitDecoders, HoldsOutOnlyThoseThatMayBe) {
  ASSERT_OK_AND_ASSIGN(const DecoderSplit first, SplitDecoders(100, 0.2, 7));
  ASSERT_OK_AND_ASSIGN(const DecoderSplit some, SplitDecoders(100, 0.1, 8, first.held_out));
  EXPECT_EQ(some.held_out.numel(), 10);
  EXPECT_TRUE(at::isin(some.held_out, first.held_out).all().item<bool>());
  EXPECT_FALSE(at::isin(some.fitted, some.held_out).any().item<bool>());
  EXPECT_EQ(some.fitted.numel(), 90);
  ASSERT_OK_AND_ASSIGN(const DecoderSplit all, SplitDecoders(100, 0.5, 8, first.held_out));
  EXPECT_TRUE(at::equal(all.held_out, first.held_out)) << "no more than there are";
  ASSERT_OK_AND_ASSIGN(const DecoderSplit again, SplitDecoders(100, 0.2, 7, first.held_out));
  EXPECT_TRUE(at::equal(again.held_out, first.held_out));
  ASSERT_OK_AND_ASSIGN(const DecoderSplit none, SplitDecoders(100, 0.2, 7, at::empty({0}, at::kLong)));
  EXPECT_EQ(none.held_out.numel(), 0);
}

TEST(SplitDecoders, AShareIsCountedWithTwoLeftToFit) {
  EXPECT_EQ(HeldOutCount(101, 0.1), 10);
  EXPECT_EQ(HeldOutCount(10, 0.999), 8);
  EXPECT_EQ(HeldOutCount(2, 0.9), 0);
  EXPECT_EQ(HeldOutCount(0, 0.5), 0);
  for (const double share : {0.0, -0.5, 1.0, 1e300, double{NAN}}) EXPECT_EQ(HeldOutCount(100, share), 0) << share;
}

TEST(SplitDecoders, LeavesTwoToFit) {
  ASSERT_OK_AND_ASSIGN(const DecoderSplit none, SplitDecoders(5, 0, 0));
  EXPECT_EQ(none.held_out.numel(), 0);
  ASSERT_OK_AND_ASSIGN(const DecoderSplit most, SplitDecoders(10, 0.999, 0));
  EXPECT_EQ(most.fitted.numel(), 2);
  EXPECT_THAT(SplitDecoders(1, 0.1, 0), IsError(kInvalid, reason::kConfigInvalid));
  EXPECT_THAT(SplitDecoders(10, 1, 0), IsError(kInvalid, reason::kConfigInvalid));
  EXPECT_THAT(SplitDecoders(10, -0.1, 0), IsError(kInvalid, reason::kConfigInvalid));
  EXPECT_THAT(SplitDecoders(10, NAN, 0), IsError(kInvalid, reason::kConfigInvalid));
}

class QualityMemoryTest : public testing::Test {
 protected:
  static void ExpectAsEstimated(FactorForm form, int64_t factors, int64_t decoders, int64_t held_out, int64_t d) {
    const QualityInputs inputs{at::randn({factors, d}), at::randn({decoders, d}),
                               held_out > 0 ? at::randn({held_out, d}) : at::Tensor()};
    const QualitySettings settings = Settings(form);
    const int64_t peak = CountingAllocator::Install().PeakOf([&] { Measure(inputs, settings); });
    const MemoryEstimate estimate = EstimateQuality(settings.rule, factors, decoders, held_out, d);
    EXPECT_TRUE(WithinAFifth(estimate.peak_bytes, peak));
  }
};

TEST_F(QualityMemoryTest, OfManyFactors) {
  ExpectAsEstimated(FactorForm::kTopK, 2500, 3000, 300, 64);
  ExpectAsEstimated(FactorForm::kGram, 2500, 3000, 300, 64);
}
TEST_F(QualityMemoryTest, OfManyDecoders) { ExpectAsEstimated(FactorForm::kTopK, 64, 30'000, 0, 64); }
TEST_F(QualityMemoryTest, OfWideOnes) { ExpectAsEstimated(FactorForm::kGram, 64, 200, 20, 900); }

}  // namespace
}  // namespace superpose
