#include "lib/statistics/analysis/pairs.h"

#include <ATen/ATen.h>

#include <array>
#include <cmath>
#include <vector>

#include "lib/statistics/analysis/ranking.h"
#include "tests/lib/statistics/analysis/analysis_rig.h"

namespace superpose {
namespace {

using ::testing::ElementsAre;
using Q = PairQuantity;

constexpr std::array<Q, 8> kQuantities = {Q::kJoint, Q::kConditional, Q::kPhi,     Q::kNotebookCorrelation,
                                          Q::kLift,  Q::kPmi,         Q::kJaccard, Q::kCosine};

bool Same(const at::Tensor& one, const at::Tensor& other, double tolerance = 1e-12) {
  return one.sizes() == other.sizes() && at::allclose(one, other.to(at::kDouble), tolerance, tolerance, true);
}

class GoldenPairsTest : public testing::Test {
 protected:
  GoldenPairsTest() : golden_("f32") {}
  AnalysisOutput Ask(Q quantity, int64_t min_count = 1) const {
    return Answer(
        MakePairs(golden_.inputs(), {.features = golden_.sorted_ids(), .quantity = quantity, .min_count = min_count}));
  }
  at::Tensor ValuesOf(Q quantity) const { return TensorOf(Ask(quantity), "values"); }
  const at::Tensor& Notebook(const char* name) const { return golden_.notebook.at(name); }

  GoldenAnalyses golden_;
};

TEST_F(GoldenPairsTest, ProbabilitiesAreTheNotebooks) {
  const AnalysisOutput output = Ask(Q::kJoint);
  EXPECT_THAT(NamesOf(output), ElementsAre("feature", "other_feature", "probability", "other_probability", "values"));
  EXPECT_EQ(Integers(TensorOf(output, "feature")), golden_.sorted_ids());
  EXPECT_EQ(Integers(TensorOf(output, "other_feature")), golden_.sorted_ids());
  EXPECT_TRUE(Same(TensorOf(output, "values"), Notebook("pair_prob"), 1e-7));
  EXPECT_TRUE(Same(TensorOf(output, "probability").unsqueeze(1), Notebook("sing_prob"), 1e-7));
  EXPECT_TRUE(Same(TensorOf(output, "other_probability").unsqueeze(1), Notebook("sing_prob"), 1e-7));
}

TEST_F(GoldenPairsTest, CorrelationsAreTheNotebooksInBothForms) {
  EXPECT_TRUE(Same(ValuesOf(Q::kNotebookCorrelation), Notebook("prob_corr"), 1e-6));
  EXPECT_TRUE(Same(ValuesOf(Q::kPhi), Notebook("prob_corr_phi_true"), 1e-6));
  EXPECT_FALSE(Same(ValuesOf(Q::kPhi), Notebook("prob_corr"), 1e-3));
}

TEST_F(GoldenPairsTest, ConditionalProbabilitiesAreTheNotebooks) {
  EXPECT_TRUE(Same(ValuesOf(Q::kConditional) - at::eye(74, at::kDouble), Notebook("cond_prob_minus_eye"), 1e-6));
}

TEST_F(GoldenPairsTest, TheLargestConditionalProbabilitiesAreTheNotebooks) {
  for (const char* precision : {"f32", "f64"}) {
    const GoldenAnalyses golden(precision);
    const at::Tensor values = TensorOf(
        Answer(MakePairs(golden.inputs(), {.features = golden.sorted_ids(), .quantity = Q::kConditional})), "values");
    const at::Tensor others = values - at::eye(74, at::kDouble);
    const at::Tensor& expected = golden.notebook.at("cond_topk3_values");
    const at::Tensor places = golden.notebook.at("cond_topk3_indices").to(at::kLong);
    EXPECT_TRUE(Same(others.gather(1, places), expected, 1e-6));
    for (int64_t row = 0; row < 74; ++row) {
      EXPECT_TRUE(Same(others[row].index_select(0, LargestIndices(others[row], 3)), expected[row], 1e-6)) << row;
    }
  }
}

TEST_F(GoldenPairsTest, FeaturesThatWereNeverActiveHaveNoPairs) {
  const FeatureSelection saved = Integers(golden_.stats.at("feat_ids"));
  const AnalysisOutput output = Answer(MakePairs(golden_.inputs(), {.features = saved}));
  const at::Tensor never = golden_.stats.at("act_counts").eq(0);
  EXPECT_TRUE(at::equal(TensorOf(output, "values").isnan(), never.unsqueeze(1).logical_or(never.unsqueeze(0))));
  EXPECT_EQ(output.undefined, 80 * 80 - 74 * 74);
}

// From the activations themselves.
at::Tensor Expected(const at::Tensor& z, Q quantity) {
  const auto n = static_cast<double>(z.size(0));
  const at::Tensor on = z.gt(0).to(at::kDouble);
  const at::Tensor f = on.mean(0), i = f.unsqueeze(1), j = f.unsqueeze(0);
  at::Tensor ij = on.t().matmul(on) / n;
  const at::Tensor centred = on - f, covariance = centred.t().matmul(centred) / n;
  const at::Tensor deviation = covariance.diagonal().sqrt(), sums = z.t().matmul(z);
  switch (quantity) {
    case Q::kJoint:
      return ij;
    case Q::kConditional:
      return ij / i;
    case Q::kPhi:
      return covariance / deviation.unsqueeze(1) / deviation.unsqueeze(0);
    case Q::kNotebookCorrelation:
      return covariance / deviation.unsqueeze(1) / j.sqrt();
    case Q::kLift:
      return ij / i / j;
    case Q::kPmi:
      return (ij / i / j).log();
    case Q::kJaccard:
      return ij / (on.unsqueeze(2) + on.unsqueeze(1)).gt(0).to(at::kDouble).mean(0);
    case Q::kCosine:
      return sums / sums.diagonal().sqrt().unsqueeze(1) / sums.diagonal().sqrt();
  }
  return {};
}

TEST(PairsTest, EveryQuantityIsWhatItsNameSays) {
  const at::Tensor z = SomeActivations(60, 9);
  MadeSnapshot snapshot(z);
  const AnalysisInputs inputs = snapshot.inputs();
  for (const Q quantity : kQuantities) {
    const AnalysisOutput output = Answer(MakePairs(inputs, {.quantity = quantity}));
    EXPECT_TRUE(Same(TensorOf(output, "values"), Expected(z, quantity), 1e-9)) << static_cast<int>(quantity);
    EXPECT_EQ(output.undefined, 0);
  }
}

TEST(PairsTest, TrianglesAndSquaresAgreeInUnitsOfAnySize) {
  const at::Tensor z = SomeActivations(60, 9);
  MadeSnapshot triangle(z), square(z, PairForm::kSquare);
  const AnalysisInputs triangle_inputs = triangle.inputs(), square_inputs = square.inputs();
  for (const Q quantity : kQuantities) {
    const PairsQuery query = {.features = std::vector<int64_t>{8, 0, 3, 3}, .quantity = quantity};
    const AnalysisOutput whole = Answer(MakePairs(triangle_inputs, query));
    for (const int64_t entries : {1, 20, 1000}) {
      EXPECT_TRUE(SameAnswers(Answer(MakePairs(triangle_inputs, query, entries)), whole));
      EXPECT_TRUE(SameAnswers(Answer(MakePairs(square_inputs, query, entries)), whole));
    }
  }
}

TEST(PairsTest, RowsAndColumnsMayBeOtherFeatures) {
  const at::Tensor z = SomeActivations(60, 9);
  MadeSnapshot snapshot(z);
  const AnalysisInputs inputs = snapshot.inputs();
  const std::vector<int64_t> few = {7, 2}, many = {1, 8, 2, 0, 5};
  for (const Q quantity : kQuantities) {
    const at::Tensor all = Expected(z, quantity);
    const auto part = [&](const std::vector<int64_t>& rows, const std::vector<int64_t>& columns) {
      return all.index_select(0, at::tensor(rows, at::kLong)).index_select(1, at::tensor(columns, at::kLong));
    };
    const auto ask = [&](const std::vector<int64_t>& rows, const std::vector<int64_t>& columns) {
      const PairsQuery query = {.features = rows, .other_features = columns, .quantity = quantity};
      return TensorOf(Answer(MakePairs(inputs, query, /*unit_entries=*/1)), "values");
    };
    EXPECT_TRUE(Same(ask(few, many), part(few, many), 1e-9)) << static_cast<int>(quantity);
    EXPECT_TRUE(Same(ask(many, few), part(many, few), 1e-9)) << static_cast<int>(quantity);
  }
}

// Of 4 tokens: feature 0 for all, 1 for none, 2 for two, 3 for the other two.
MadeSnapshot Corners() {
  return MadeSnapshot(
      at::tensor({1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 1.0}, at::kDouble)
          .reshape({4, 4}));
}

TEST(PairsTest, WhatHasNoCorrelationIsNotDefined) {
  MadeSnapshot snapshot = Corners();
  const AnalysisInputs inputs = snapshot.inputs();
  const AnalysisOutput phi = Answer(MakePairs(inputs, {.min_count = 0}));
  EXPECT_EQ(phi.undefined, 12);  // All with a feature that is always or never active.
  EXPECT_THAT(Doubles(TensorOf(phi, "values").slice(0, 2).slice(1, 2)), ElementsAre(1, -1, -1, 1));
  const AnalysisOutput pmi = Answer(MakePairs(inputs, {.quantity = Q::kPmi}));
  EXPECT_EQ(pmi.undefined, 7);
  EXPECT_EQ(TensorOf(pmi, "values")[2][3].item<double>(), -HUGE_VAL);
  EXPECT_EQ(TensorOf(pmi, "values")[2][0].item<double>(), 0);
}

TEST(PairsTest, RareFeaturesAreNotDefinedUnderTheLeastCount) {
  MadeSnapshot snapshot = Corners();
  const AnalysisInputs inputs = snapshot.inputs();
  const auto undefined = [&](int64_t min_count) {
    return Answer(MakePairs(inputs, {.quantity = Q::kJoint, .min_count = min_count})).undefined;
  };
  EXPECT_EQ(undefined(0), 0);
  EXPECT_EQ(undefined(1), 7);
  EXPECT_EQ(undefined(2), 7);
  EXPECT_EQ(undefined(3), 15);
  EXPECT_EQ(undefined(5), 16);
}

TEST(PairsTest, OneFeatureGoesWithItself) {
  MadeSnapshot snapshot(at::tensor({1.0, 0.0}, at::kDouble).reshape({2, 1}));
  EXPECT_THAT(Doubles(TensorOf(Answer(MakePairs(snapshot.inputs(), {})), "values")), ElementsAre(1));
}

TEST(PairsTest, WhatCannotBeAnsweredIsRefused) {
  MadeSnapshot snapshot(SomeActivations(20, 5));
  const auto reason_of = [&](const PairsQuery& query) {
    return ReasonOf(MakePairs(snapshot.inputs(), query).status());
  };
  EXPECT_EQ(reason_of({.min_count = -1}), reason::kConfigInvalid);
  EXPECT_EQ(reason_of({.features = std::vector<int64_t>{5}}), reason::kFeatureOutOfRange);
  EXPECT_EQ(reason_of({.other_features = std::vector<int64_t>{-1}}), reason::kFeatureOutOfRange);
  EXPECT_EQ(reason_of({.other_features = FeatureRange{1, 1}}), reason::kEmptySelection);
  snapshot.Without("act_cov_counts_upper");
  EXPECT_EQ(reason_of({}), reason::kSnapshotTensorMissing);
}

TEST(PairsTest, FeaturesWhosePairsWereNotCountedAreRefused) {
  MadeSnapshot snapshot(SomeActivations(20, 5));
  snapshot.With("pair_ids", at::tensor({4, 1}, at::kLong))
      .With("act_cov_counts_upper", at::tensor({5, 2, 6}, at::kLong))
      .With("act_cov_sum_upper", at::tensor({1.0, 2.0, 3.0}, at::kDouble));
  const AnalysisInputs inputs = snapshot.inputs();
  EXPECT_EQ(ReasonOf(MakePairs(inputs, {}).status()), reason::kSnapshotTensorMissing);
  const AnalysisOutput output =
      Answer(MakePairs(inputs, {.features = std::vector<int64_t>{1, 4}, .quantity = Q::kJoint}));
  EXPECT_THAT(Doubles(TensorOf(output, "values") * 20), ElementsAre(6, 2, 2, 5));
}

}  // namespace
}  // namespace superpose
