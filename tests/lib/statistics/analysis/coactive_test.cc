#include "lib/statistics/analysis/coactive.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <vector>

#include "lib/statistics/analysis/pairs.h"
#include "tests/lib/statistics/analysis/analysis_rig.h"

namespace superpose {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using Q = PairQuantity;

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;

// Of 8 tokens. Feature 0: tokens 0 - 3; 1: 0 - 3; 2: 0, 1; 3: never; 4: 2, 3; 5: all; 6: 6.
at::Tensor Activations() {
  at::Tensor z = at::zeros({8, 7}, at::kDouble);
  z.slice(0, 0, 4).slice(1, 0, 2).fill_(1);
  z.slice(0, 0, 2).slice(1, 2, 3).fill_(1);
  z.slice(0, 2, 4).slice(1, 4, 5).fill_(1);
  z.slice(1, 5, 6).fill_(1);
  z.slice(0, 6, 7).slice(1, 6, 7).fill_(1);
  return z;
}

TEST(CoactiveTest, TheBestComeFirstAndTiesGoById) {
  MadeSnapshot snapshot(Activations());
  const AnalysisOutput output = Answer(MakeCoactive(snapshot.inputs(), {.by = Q::kConditional, .min_count = 1}));
  EXPECT_THAT(NamesOf(output), ElementsAre("feature", "value", "joint_count", "probability", "phi", "lift"));
  EXPECT_THAT(Integers(TensorOf(output, "feature")), ElementsAre(1, 5, 2, 4, 6));
  EXPECT_THAT(Doubles(TensorOf(output, "value")), ElementsAre(1, 1, 0.5, 0.5, 0));
  EXPECT_THAT(Integers(TensorOf(output, "joint_count")), ElementsAre(4, 4, 2, 2, 0));
  EXPECT_THAT(Doubles(TensorOf(output, "probability")), ElementsAre(0.5, 1, 0.25, 0.25, 0.125));
  EXPECT_THAT(Doubles(TensorOf(output, "lift")), ElementsAre(2, 1, 2, 2, 0));
  const std::vector<double> phi = Doubles(TensorOf(output, "phi"));
  EXPECT_DOUBLE_EQ(phi[0], 1);
  EXPECT_TRUE(std::isnan(phi[1]));  // It is always active.
  EXPECT_DOUBLE_EQ(phi[2], std::sqrt(1.0 / 3));
  EXPECT_EQ(output.undefined, 1);
}

TEST(CoactiveTest, RareFeaturesDoNotCount) {
  MadeSnapshot snapshot(Activations());
  const AnalysisInputs inputs = snapshot.inputs();
  EXPECT_THAT(Integers(TensorOf(Answer(MakeCoactive(inputs, {.by = Q::kLift, .min_count = 4})), "feature")),
              ElementsAre(1, 5));
  EXPECT_THAT(Integers(TensorOf(Answer(MakeCoactive(inputs, {.min_count = 9})), "feature")), IsEmpty());
}

TEST(CoactiveTest, WithAFeatureThatWasNeverActiveGoesNone) {
  MadeSnapshot snapshot(Activations());
  const AnalysisOutput output = Answer(MakeCoactive(snapshot.inputs(), {.feature = 3, .min_count = 1}));
  EXPECT_THAT(Integers(TensorOf(output, "feature")), IsEmpty());
  EXPECT_EQ(output.undefined, 6);
}

TEST(CoactiveTest, OneFeatureHasNoOthers) {
  MadeSnapshot snapshot(at::ones({20, 1}, at::kDouble));
  EXPECT_EQ(TensorOf(Answer(MakeCoactive(snapshot.inputs(), {})), "value").numel(), 0);
}

TEST(CoactiveTest, OnlyTheBestFewAreReturned) {
  MadeSnapshot snapshot(SomeActivations(400, 60));
  const AnalysisInputs inputs = snapshot.inputs();
  EXPECT_EQ(TensorOf(Answer(MakeCoactive(inputs, {.feature = 7})), "feature").numel(), 20);
  ASSERT_OK_AND_ASSIGN(const auto three, MakeCoactive(inputs, {.feature = 7, .k = 3}));
  EXPECT_EQ(three->result_bytes(), 3 * 6 * 8);
}

TEST(CoactiveTest, AFeatureThatWasSampledTwiceIsOneOther) {
  const GoldenAnalyses golden("f32");
  const std::vector<int64_t> ids = golden.kept_ids();
  for (const int64_t feature : {ids[0], ids[1], ids[2]}) {
    const AnalysisOutput output =
        Answer(MakeCoactive(golden.inputs(), {.feature = feature, .k = 1000, .by = Q::kJaccard, .min_count = 1}));
    std::vector<int64_t> found = Integers(TensorOf(output, "feature"));
    EXPECT_THAT(found, Each(testing::Ne(feature)));
    std::sort(found.begin(), found.end());
    EXPECT_EQ(std::adjacent_find(found.begin(), found.end()), found.end());
    EXPECT_EQ(found.size(), std::set<int64_t>(ids.begin(), ids.end()).size() - 1);
  }
}

TEST(CoactiveTest, ValuesAreThoseOfAllPairs) {
  const GoldenAnalyses golden("f64");
  const int64_t feature = golden.kept_ids()[3];
  for (const Q quantity : {Q::kPhi, Q::kConditional, Q::kCosine, Q::kPmi}) {
    const AnalysisOutput output =
        Answer(MakeCoactive(golden.inputs(), {.feature = feature, .by = quantity, .min_count = 5}));
    const PairsQuery query = {.features = std::vector<int64_t>{feature},
                              .other_features = Integers(TensorOf(output, "feature")),
                              .quantity = quantity};
    const at::Tensor row = TensorOf(Answer(MakePairs(golden.inputs(), query)), "values")[0];
    EXPECT_TRUE(at::equal(TensorOf(output, "value"), row));
    EXPECT_TRUE((row.slice(0, 1) <= row.slice(0, 0, -1)).all().item<bool>());
  }
}

TEST(CoactiveTest, WhatCannotBeAnsweredIsRefused) {
  MadeSnapshot snapshot(SomeActivations(20, 5));
  const AnalysisInputs inputs = snapshot.inputs();
  EXPECT_THAT(MakeCoactive(inputs, {.k = 0}),
              testing::AllOf(IsError(kInvalid, reason::kConfigInvalid), MessageHas("1 or more")));
  EXPECT_THAT(MakeCoactive(inputs, {.min_count = -1}), IsError(kInvalid, reason::kConfigInvalid));
  EXPECT_THAT(MakeCoactive(inputs, {.feature = 5}), IsError(kInvalid, reason::kFeatureOutOfRange));
  snapshot.Without("act_cov_sum_upper");
  EXPECT_EQ(ReasonOf(MakeCoactive(snapshot.inputs(), {}).status()), reason::kSnapshotTensorMissing);
}

}  // namespace
}  // namespace superpose
