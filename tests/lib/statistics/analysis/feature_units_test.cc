#include "lib/statistics/analysis/feature_units.h"

#include <ATen/ATen.h>

#include <cmath>
#include <string>
#include <vector>

#include "tests/lib/statistics/analysis/analysis_rig.h"

namespace superpose {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;
constexpr auto kPrecondition = absl::StatusCode::kFailedPrecondition;

class GoldenFeatureUnitsTest : public testing::TestWithParam<const char*> {
 protected:
  GoldenFeatureUnitsTest() : golden_(GetParam()) {}

  AnalysisOutput Ask(FeatureUnitQuantity quantity, const FeatureSelection& features) const {
    return Answer(MakeFeatureUnits(golden_.inputs(), {.features = features, .quantity = quantity, .values = true}));
  }
  // Rows of a sum for the features that the notebook keeps.
  at::Tensor Kept(const char* name) const {
    const at::Tensor mask = golden_.notebook.at("sparsity_mask").to(at::kBool);
    return golden_.stats.at(name).index_select(0, mask.nonzero().squeeze(1));
  }
  // The features of one of the notebook's bands, as many as it plots.
  std::vector<int64_t> Band(const std::string& name, int64_t size) const {
    const at::Tensor mask = golden_.notebook.at("band_" + name + "_mask").to(at::kBool);
    return Integers(golden_.kept().masked_select(mask).slice(0, 0, size));
  }

  GoldenAnalyses golden_;
};

TEST_P(GoldenFeatureUnitsTest, MeansOfActivationTimesGateAreTheNotebooks) {
  const AnalysisOutput output = Ask(FeatureUnitQuantity::kActGateMean, golden_.kept_ids());
  EXPECT_THAT(NamesOf(output), ElementsAre("feature", "histogram_counts", "histogram_edges", "values"));
  EXPECT_EQ(Integers(TensorOf(output, "feature")), golden_.kept_ids());
  EXPECT_EQ(TensorOf(output, "values").scalar_type(), at::kFloat);
  EXPECT_EQ(Integers(TensorOf(output, "histogram_counts")),
            Integers(golden_.notebook.at("act_gate_mean_hist100_counts")));
  EXPECT_LT(LargestError(TensorOf(output, "histogram_edges"), golden_.notebook.at("act_gate_mean_hist100_edges")),
            1e-7);
  EXPECT_EQ(output.undefined, 0);
  if (golden_.notebook.count("act_gate_mean") == 0) return;
  EXPECT_LT(RelativeError(TensorOf(output, "values"), golden_.notebook.at("act_gate_mean")), 1e-6);
}

TEST_P(GoldenFeatureUnitsTest, GateProbabilitiesAreTheNotebooks) {
  const AnalysisOutput output = Ask(FeatureUnitQuantity::kGateProbability, golden_.kept_ids());
  at::Tensor expected = Kept("gate_act_counts") / Kept("act_counts").unsqueeze(1);
  if (golden_.notebook.count("gate_mean") > 0) expected = golden_.notebook.at("gate_mean");
  EXPECT_LT(RelativeError(TensorOf(output, "values"), expected), 1e-6);
}

TEST_P(GoldenFeatureUnitsTest, LogCountsAreTheNotebooks) {
  for (const char* band : {"high_gt_-2", "med_-3_-2.5", "lowcos_lt_0.7"}) {
    const at::Tensor& expected = golden_.notebook.at(std::string("band_") + band + "_log10counts");
    const AnalysisOutput output = Ask(FeatureUnitQuantity::kLog10GateCount, Band(band, expected.size(0)));
    EXPECT_LT(LargestError(TensorOf(output, "values"), expected), 1e-6) << band;
  }
}

TEST_P(GoldenFeatureUnitsTest, PreActivationMeansFollowTheirFormula) {
  const AnalysisOutput output = Ask(FeatureUnitQuantity::kPreActivationMean, golden_.kept_ids());
  const at::Tensor expected = Kept("pre_relu_sum_no_act") / Kept("act_counts").unsqueeze(1);
  EXPECT_LT(RelativeError(TensorOf(output, "values"), expected), 1e-6);
}

TEST_P(GoldenFeatureUnitsTest, UnitsOfAnySizeAgree) {
  const FeatureUnitsQuery query = {.bins = 17, .values = true, .by_feature = true};
  const AnalysisOutput whole = Answer(MakeFeatureUnits(golden_.inputs(), query));
  for (const int64_t entries : {1, 300, 1000}) {
    EXPECT_TRUE(SameAnswers(Answer(MakeFeatureUnits(golden_.inputs(), query, entries)), whole)) << entries;
  }
  ASSERT_OK_AND_ASSIGN(const auto one_row, MakeFeatureUnits(golden_.inputs(), query, 1));
  EXPECT_EQ(one_row->units(), 2 * TensorOf(whole, "feature").numel());
}

INSTANTIATE_TEST_SUITE_P(Precisions, GoldenFeatureUnitsTest, testing::Values("f32", "f64"));

// Feature 0 was active for 2 of 4 tokens, feature 1 never, feature 2 for all.
MadeSnapshot Snapshot() {
  MadeSnapshot snapshot(at::tensor({1.0, 0.0, 1.0, 0.0, 0.0, 1.0, 2.0, 0.0, 1.0, 0.0, 0.0, 1.0}).reshape({4, 3}));
  snapshot.With("act_gate_sum", at::tensor({1.0, 3.0, 0.0, 0.0, 0.0, 0.0, 4.0, 2.0, 0.0}, at::kDouble).reshape({3, 3}));
  snapshot.With("gate_act_counts", at::tensor({1, 2, 0, 0, 0, 0, 4, 2, 0}, at::kLong).reshape({3, 3}));
  return snapshot;
}

TEST(FeatureUnitsTest, FeaturesThatWereNeverActiveHaveNoMean) {
  MadeSnapshot snapshot = Snapshot();
  const AnalysisOutput output =
      Answer(MakeFeatureUnits(snapshot.inputs(), {.bins = 3, .values = true, .by_feature = true}));
  EXPECT_THAT(NamesOf(output), ElementsAre("feature", "histogram_counts", "histogram_edges", "by_feature", "values"));
  EXPECT_THAT(Integers(TensorOf(output, "histogram_counts")), ElementsAre(2, 2, 2));
  EXPECT_THAT(Doubles(TensorOf(output, "histogram_edges")), ElementsAre(0, 0.5, 1, 1.5));
  EXPECT_THAT(Integers(TensorOf(output, "by_feature")), ElementsAre(1, 1, 1, 0, 0, 0, 1, 1, 1));
  EXPECT_EQ(output.undefined, 3);
  const at::Tensor values = TensorOf(output, "values");
  EXPECT_THAT(Doubles(values[0]), ElementsAre(0.5, 1.5, 0));
  EXPECT_TRUE(values[1].isnan().all().item<bool>());
  EXPECT_THAT(Doubles(values[2]), ElementsAre(1, 0.5, 0));
}

TEST(FeatureUnitsTest, FeaturesThatWereNeverActiveHaveALogCount) {
  MadeSnapshot snapshot = Snapshot();
  const AnalysisOutput output = Answer(MakeFeatureUnits(
      snapshot.inputs(),
      {.features = std::vector<int64_t>{1}, .quantity = FeatureUnitQuantity::kLog10GateCount, .values = true}));
  EXPECT_TRUE(TensorOf(output, "values").eq(-1).all().item<bool>());
  EXPECT_EQ(output.undefined, 0);
}

TEST(FeatureUnitsTest, NothingButTheHistogramIsReturnedUnasked) {
  MadeSnapshot snapshot = Snapshot();
  ASSERT_OK_AND_ASSIGN(const auto analysis, MakeFeatureUnits(snapshot.inputs(), {}));
  EXPECT_EQ(analysis->result_bytes(), 8 * (3 + 100 + 101));
  ASSERT_OK_AND_ASSIGN(const AnalysisOutput output, RunAll(*analysis));
  EXPECT_THAT(NamesOf(output), ElementsAre("feature", "histogram_counts", "histogram_edges"));
  EXPECT_EQ(TensorOf(output, "histogram_counts").numel(), 100);
}

TEST(FeatureUnitsTest, WhatCannotBeAnsweredIsRefused) {
  MadeSnapshot snapshot = Snapshot();
  const AnalysisInputs inputs = snapshot.inputs();
  EXPECT_THAT(MakeFeatureUnits(inputs, {.bins = 0}),
              AllOf(IsError(kInvalid, reason::kConfigInvalid), MessageHas("1 .. 10000")));
  EXPECT_THAT(MakeFeatureUnits(inputs, {.bins = 10'001}), IsError(kInvalid, reason::kConfigInvalid));
  EXPECT_THAT(MakeFeatureUnits(inputs, {.quantity = FeatureUnitQuantity::kPreActivationMean}),
              AllOf(IsError(kPrecondition, reason::kSnapshotTensorMissing), MessageHas("PRE_ACTIVATIONS")));
  EXPECT_THAT(MakeFeatureUnits(inputs, {.features = std::vector<int64_t>{3}}),
              IsError(kInvalid, reason::kFeatureOutOfRange));
}

}  // namespace
}  // namespace superpose
