#include "lib/statistics/analysis/frequencies.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "tests/lib/statistics/analysis/analysis_rig.h"

namespace superpose {
namespace {

using ::testing::DoubleEq;
using ::testing::DoubleNear;
using ::testing::ElementsAre;
using ::testing::Pointwise;

// Of 8 tokens: features 0 .. 4 were active for 2, 0, 8, 2, 0 of them.
at::Tensor Activations() {
  at::Tensor z = at::zeros({8, 5}, at::kDouble);
  for (int64_t token = 0; token < 8; ++token) z[token][2] = 1;
  for (const int64_t token : {1, 2}) z[token][0] = 0.5;
  for (const int64_t token : {5, 6}) z[token][3] = 0.5;
  return z;
}

TEST(FrequenciesTest, TheMostFrequentComesFirstAndTiesGoById) {
  MadeSnapshot snapshot(Activations());
  const AnalysisOutput output = Answer(MakeFrequencies(snapshot.inputs(), {}));
  EXPECT_THAT(NamesOf(output), ElementsAre("feature", "count", "frequency", "log10_frequency", "rank"));
  EXPECT_THAT(Integers(TensorOf(output, "feature")), ElementsAre(2, 0, 3, 1, 4));
  EXPECT_THAT(Integers(TensorOf(output, "count")), ElementsAre(8, 2, 2, 0, 0));
  EXPECT_THAT(Doubles(TensorOf(output, "frequency")), ElementsAre(1, 0.25, 0.25, 0, 0));
  EXPECT_THAT(Doubles(TensorOf(output, "log10_frequency")),
              ElementsAre(0, DoubleEq(std::log10(0.25)), DoubleEq(std::log10(0.25)), -HUGE_VAL, -HUGE_VAL));
  EXPECT_THAT(Integers(TensorOf(output, "rank")), ElementsAre(0, 1, 2, 3, 4));
  EXPECT_EQ(TensorOf(output, "count").scalar_type(), at::kLong);
  EXPECT_EQ(TensorOf(output, "rank").scalar_type(), at::kLong);
  EXPECT_EQ(output.undefined, 0);
}

TEST(FrequenciesTest, RanksAreAmongAllFeaturesWhicheverAreAskedFor) {
  MadeSnapshot snapshot(Activations());
  const AnalysisOutput output =
      Answer(MakeFrequencies(snapshot.inputs(), {.features = std::vector<int64_t>{4, 3, 2, 3}}));
  EXPECT_THAT(Integers(TensorOf(output, "feature")), ElementsAre(2, 3, 3, 4));
  EXPECT_THAT(Integers(TensorOf(output, "rank")), ElementsAre(0, 2, 2, 4));
}

TEST(FrequenciesTest, TrainingFrequenciesHaveNoCounts) {
  MadeSnapshot snapshot(Activations(), PairForm::kTriangle, at::tensor({-3.0, -1.0, -10.0, -2.0, -1.0}));
  const AnalysisOutput output = Answer(MakeFrequencies(snapshot.inputs(), {}));
  EXPECT_THAT(NamesOf(output), ElementsAre("feature", "frequency", "log10_frequency", "rank"));
  EXPECT_THAT(Integers(TensorOf(output, "feature")), ElementsAre(1, 4, 3, 0, 2));
  EXPECT_THAT(Doubles(TensorOf(output, "frequency")), Pointwise(DoubleNear(1e-9), {0.1, 0.1, 0.01, 0.001, 1e-10}));
  const AnalysisOutput own = Answer(MakeFrequencies(snapshot.inputs(), {.by = FrequencySource::kSnapshot}));
  EXPECT_THAT(Integers(TensorOf(own, "feature")), ElementsAre(2, 0, 3, 1, 4));
}

TEST(FrequenciesTest, OneFeatureIsEnough) {
  MadeSnapshot snapshot(at::ones({3, 1}, at::kDouble));
  const AnalysisOutput output = Answer(MakeFrequencies(snapshot.inputs(), {}));
  EXPECT_THAT(Doubles(TensorOf(output, "frequency")), ElementsAre(1));
}

TEST(FrequenciesTest, WhatCannotBeAnsweredIsRefused) {
  MadeSnapshot snapshot(Activations());
  const AnalysisInputs inputs = snapshot.inputs();
  EXPECT_EQ(ReasonOf(MakeFrequencies(inputs, {.features = std::vector<int64_t>{5}}).status()),
            reason::kFeatureOutOfRange);
  EXPECT_EQ(ReasonOf(MakeFrequencies(inputs, {.features = FeatureRange{2, 2}}).status()), reason::kEmptySelection);
  EXPECT_EQ(ReasonOf(MakeFrequencies(inputs, {.by = FrequencySource::kTraining}).status()),
            reason::kFrequenciesMissing);
}

TEST(FrequenciesTest, AFeatureThatTheSnapshotLacksHasAFrequencyOfTrainingOnly) {
  const GoldenAnalyses golden("f32");
  const std::vector<int64_t> covered = Integers(golden.stats.at("feat_ids"));
  int64_t missing = 0;
  while (std::find(covered.begin(), covered.end(), missing) != covered.end()) ++missing;
  const FeatureSelection one = std::vector<int64_t>{missing};
  EXPECT_OK(MakeFrequencies(golden.inputs(), {.features = one}));
  EXPECT_EQ(ReasonOf(MakeFrequencies(golden.inputs(), {.features = one, .by = FrequencySource::kSnapshot}).status()),
            reason::kSnapshotTensorMissing);
}

class GoldenFrequenciesTest : public testing::TestWithParam<const char*> {};

TEST_P(GoldenFrequenciesTest, AreTheNotebooks) {
  const GoldenAnalyses golden(GetParam());
  const FeatureSelection saved = Integers(golden.stats.at("feat_ids"));
  const AnalysisOutput own =
      Answer(MakeFrequencies(golden.inputs(), {.features = saved, .by = FrequencySource::kSnapshot}));
  EXPECT_LT(LargestError(TensorOf(own, "frequency"), golden.notebook.at("act_freqs_sorted")), 1e-8);
  const FeatureSelection everything = FeatureRange{0, 256};
  const AnalysisOutput training = Answer(MakeFrequencies(golden.inputs(), {.features = everything}));
  EXPECT_LT(LargestError(TensorOf(training, "log10_frequency").flip(0), golden.notebook.at("sparsity_sorted")), 1e-6);
  EXPECT_LT(RelativeError(TensorOf(training, "frequency"), golden.notebook.at("numerology_s")), 1e-6);
}

INSTANTIATE_TEST_SUITE_P(Precisions, GoldenFrequenciesTest, testing::Values("f32", "f64"));

}  // namespace
}  // namespace superpose
