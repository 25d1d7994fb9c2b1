#include "lib/statistics/analysis/pre_activations.h"

#include <ATen/ATen.h>

#include <string>
#include <vector>

#include "tests/lib/statistics/analysis/analysis_rig.h"

namespace superpose {
namespace {

using ::testing::ElementsAre;

constexpr auto kPrecondition = absl::StatusCode::kFailedPrecondition;
const UnitSlice kAllUnits;

class GoldenPreActivationsTest : public testing::TestWithParam<const char*> {
 protected:
  GoldenPreActivationsTest() : golden_(GetParam()) {}
  // Where the notebook has it in this precision.
  void ExpectNotebooks(const at::Tensor& actual, const char* name, double tolerance) const {
    const auto expected = golden_.notebook.find(name);
    if (expected == golden_.notebook.end()) return;
    EXPECT_LT(RelativeError(actual, expected->second), tolerance) << name;
  }
  double tolerance() const { return std::string(GetParam()) == "f32" ? 2e-6 : 1e-12; }

  GoldenAnalyses golden_;
};

TEST_P(GoldenPreActivationsTest, MomentsAreTheNotebooks) {
  const AnalysisOutput output = Answer(MakePreActivations(golden_.inputs(), {.units = kAllUnits}));
  EXPECT_THAT(NamesOf(output), ElementsAre("unit", "mean", "variance", "covariance", "correlation", "weight_gram"));
  EXPECT_EQ(TensorOf(output, "unit").numel(), 128);
  ExpectNotebooks(TensorOf(output, "mean"), "mid_mean", tolerance());
  ExpectNotebooks(TensorOf(output, "variance"), "mid_var", tolerance());
  ExpectNotebooks(TensorOf(output, "covariance"), "mid_cov", tolerance());
  ExpectNotebooks(TensorOf(output, "correlation"), "mid_corr", tolerance());
  ExpectNotebooks(TensorOf(output, "weight_gram"), "weight_cov", 1e-6);
  EXPECT_EQ(output.undefined, 0);
}

TEST_P(GoldenPreActivationsTest, TheFigureIsTheCosineOfWhatLiesOffTheDiagonals) {
  const AnalysisOutput output = Answer(MakePreActivations(golden_.inputs(), {.units = kAllUnits}));
  const at::Tensor off = at::eye(128, at::kBool).logical_not();
  const at::Tensor covariance = TensorOf(output, "covariance").masked_select(off);
  const at::Tensor gram = TensorOf(output, "weight_gram").masked_select(off);
  const double expected = (covariance.dot(gram) / covariance.norm() / gram.norm()).item<double>();
  EXPECT_NEAR(output.figures.at("gram_similarity"), expected, 1e-12);
  EXPECT_GT(expected, 0.1);  // Inputs of unit variance: the weights decide.
}

TEST_P(GoldenPreActivationsTest, ChosenUnitsHaveTheirPartOfAll) {
  const AnalysisOutput all = Answer(MakePreActivations(golden_.inputs(), {.units = kAllUnits}));
  const std::vector<int64_t> ids = {127, 0, 5, 5};
  const at::Tensor units = at::tensor(ids, at::kLong);
  const AnalysisOutput some = Answer(MakePreActivations(golden_.inputs(), {.units = ids}));
  for (const char* name : {"unit", "mean", "variance"}) {
    EXPECT_LT(LargestError(TensorOf(some, name), TensorOf(all, name).index_select(0, units)), 1e-12) << name;
  }
  for (const char* name : {"covariance", "correlation", "weight_gram"}) {
    const at::Tensor expected = TensorOf(all, name).index_select(0, units).index_select(1, units);
    EXPECT_LT(LargestError(TensorOf(some, name), expected), 1e-12) << name;
  }
  EXPECT_NEAR(some.figures.at("gram_similarity"), all.figures.at("gram_similarity"), 1e-12);
}

TEST_P(GoldenPreActivationsTest, UnitsOfWorkOfAnySizeAgree) {
  const PreActivationsQuery query = {.units = UnitRange{3, 40}};
  const AnalysisOutput whole = Answer(MakePreActivations(golden_.inputs(), query));
  for (const int64_t entries : {1, 500, 3000}) {
    const AnalysisOutput pieces = Answer(MakePreActivations(golden_.inputs(), query, entries));
    EXPECT_TRUE(SameAnswers(pieces, whole)) << entries;
    EXPECT_NEAR(pieces.figures.at("gram_similarity"), whole.figures.at("gram_similarity"), 1e-12);
  }
}

INSTANTIATE_TEST_SUITE_P(Precisions, GoldenPreActivationsTest, testing::Values("f32", "f64"));

class PreActivationsTest : public testing::Test {
 protected:
  PreActivationsTest() : model_(GoldenModel()), snapshot_(at::ones({4, 2}, at::kDouble)) {
    snapshot_.With("pre_relu_sum", at::ones({128}, at::kDouble));
    snapshot_.With("pre_relu_cov_sum", at::eye(128, at::kDouble) * 4);
  }
  AnalysisInputs inputs(int64_t layer = 0, int64_t d_mlp = 128) {
    AnalysisInputs inputs = snapshot_.inputs(d_mlp);
    inputs.model = model_.get();
    inputs.layer = layer;
    return inputs;
  }

  std::shared_ptr<const Model> model_;
  MadeSnapshot snapshot_;
};

TEST_F(PreActivationsTest, TheFirstHundredUnitsAreTheDefault) {
  const AnalysisOutput output = Answer(MakePreActivations(inputs(), {}));
  EXPECT_TRUE(at::equal(TensorOf(output, "unit"), at::arange(100, at::kLong)));
  EXPECT_TRUE(at::allclose(TensorOf(output, "variance"), at::full({100}, 15.0 / 16, at::kDouble)));
}

TEST_F(PreActivationsTest, AUnitThatDoesNotVaryHasNoCorrelation) {
  const at::Tensor sums = at::eye(128, at::kDouble) * 4;
  sums[1][1] = 0.25;  // 1 / 4 of each token: E[p^2] = E[p]^2.
  snapshot_.With("pre_relu_cov_sum", sums);
  const AnalysisOutput output = Answer(MakePreActivations(inputs(), {.units = UnitRange{0, 3}}));
  EXPECT_EQ(TensorOf(output, "variance")[1].item<double>(), 0);
  EXPECT_EQ(output.undefined, 5);
  EXPECT_TRUE(TensorOf(output, "correlation")[1].isnan().all().item<bool>());
  EXPECT_DOUBLE_EQ(TensorOf(output, "correlation")[2][2].item<double>(), 1);
}

TEST_F(PreActivationsTest, CovariancesThatAreAllZeroHaveNoSimilarity) {
  snapshot_.With("pre_relu_sum", at::zeros({128}, at::kDouble));
  EXPECT_EQ(Answer(MakePreActivations(inputs(), {})).figures.count("gram_similarity"), 0U);
}

TEST_F(PreActivationsTest, WhatCannotBeAnsweredIsRefused) {
  const auto reason_of = [&](const UnitSlice& units) {
    return ReasonOf(MakePreActivations(inputs(), {.units = units}).status());
  };
  EXPECT_EQ(reason_of(UnitRange{0, 129}), "SLICE_OUT_OF_RANGE");
  EXPECT_EQ(reason_of(UnitRange{-1, 2}), "SLICE_OUT_OF_RANGE");
  EXPECT_EQ(reason_of(UnitRange{3, 2}), "SLICE_OUT_OF_RANGE");
  EXPECT_EQ(reason_of(UnitRange{2, 2}), reason::kEmptySelection);
  EXPECT_EQ(reason_of(std::vector<int64_t>{0, 128}), "SLICE_OUT_OF_RANGE");
  EXPECT_EQ(reason_of(std::vector<int64_t>{-1}), "SLICE_OUT_OF_RANGE");
  EXPECT_EQ(reason_of(std::vector<int64_t>()), reason::kEmptySelection);
  EXPECT_EQ(ReasonOf(MakePreActivations(inputs(3), {}).status()), reason::kLayerOutOfRange);
}

TEST_F(PreActivationsTest, ASnapshotOfAnotherWidthOrWithoutUnitsIsRefused) {
  snapshot_.With("pre_relu_sum", at::ones({64}, at::kDouble));
  snapshot_.With("pre_relu_cov_sum", at::eye(64, at::kDouble));
  EXPECT_THAT(MakePreActivations(inputs(0, 64), {}), IsError(kPrecondition, reason::kSnapshotMismatch));
  snapshot_.Without("pre_relu_cov_sum");
  EXPECT_THAT(MakePreActivations(inputs(0, 64), {}),
              testing::AllOf(IsError(kPrecondition, reason::kSnapshotTensorMissing), MessageHas("UNITS")));
}

}  // namespace
}  // namespace superpose
