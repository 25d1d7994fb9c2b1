#include "lib/factorization/factor_codes.h"

#include "tests/lib/factorization/direction_rig.h"

namespace superpose {
namespace {

constexpr int64_t kFactors = 6;

FactorCodes Codes(const std::vector<int32_t>& ids, const std::vector<float>& values, int64_t width) {
  return {at::tensor(ids, at::kInt).reshape({-1, width}), at::tensor(values, at::kFloat).reshape({-1, width})};
}

// Row 0 has factors 0 and 1, row 1 has 1 and 0, row 2 has 1 and 2, row 3 has 4, row 4 has none.
FactorCodes SomeCodes() { return Codes({0, 1, 1, 0, 1, 2, 4, -1, -1, -1}, {3, 4, -4, -3, 1, 1, -2, 0, 0, 0}, 2); }

DirectionAnswer Found(const absl::StatusOr<AnalysisOutput>& output) {
  EXPECT_OK(output);
  return output.ok() ? AnswerFrom(*output) : DirectionAnswer();
}

at::Tensor Ids(const std::vector<int64_t>& ids) { return at::tensor(ids, at::kLong); }

TEST(FactorsOfDecoder, AreInOrderOfTheirMagnitude) {
  const at::Tensor decoder = at::tensor({0., 3., 4.}), factors = at::eye(3, at::kFloat);
  const DirectionAnswer answer = Found(FactorsOfDecoder(decoder, factors, Codes({1, 2, -1}, {3, -4, 0}, 3)));
  EXPECT_TRUE(at::equal(answer["factor"], Ids({2, 1})));
  EXPECT_TRUE(at::equal(answer["code"], at::tensor({-4., 3.}, at::kDouble)));
  EXPECT_LT(LargestError(answer["cosine"], at::tensor({0.8, 0.6})), 1e-7);
  EXPECT_EQ(answer.figure("l0"), 2);
  EXPECT_NEAR(answer.figure("cosine"), -7.0 / 25, 1e-7);
  EXPECT_NEAR(answer.figure("norm_ratio"), 1, 1e-7);
  EXPECT_NEAR(answer.figure("error"), 64.0 / 25, 1e-7);
}

TEST(FactorsOfDecoder, MayBeNone) {
  const DirectionAnswer answer =
      Found(FactorsOfDecoder(at::ones({3}), at::eye(3, at::kFloat), Codes({-1, -1}, {0, 0}, 2)));
  EXPECT_EQ(answer["factor"].numel(), 0);
  EXPECT_EQ(answer.figures.count("cosine"), 0);
  EXPECT_DOUBLE_EQ(answer.figure("error"), 1);
}

TEST(FactorsOfDecoder, OfLengthZeroHaveNoCosine) {
  const DirectionAnswer answer = Found(FactorsOfDecoder(at::zeros({3}), at::eye(3, at::kFloat), Codes({1}, {2}, 1)));
  EXPECT_EQ(answer.undefined, 1);
  EXPECT_TRUE(answer["cosine"].isnan().all().item<bool>());
  EXPECT_EQ(answer.figures.count("cosine") + answer.figures.count("norm_ratio") + answer.figures.count("error"), 0);
}

TEST(FactorsOfDecoder, MustFit) {
  const at::Tensor factors = at::eye(3, at::kFloat);
  const FactorCodes code = Codes({1}, {2}, 1);
  const auto wrong = IsError(absl::StatusCode::kInvalidArgument, reason::kTensorShapeMismatch);
  EXPECT_THAT(FactorsOfDecoder(at::ones({2}), factors, code), wrong);
  EXPECT_THAT(FactorsOfDecoder(at::Tensor(), factors, code), wrong);
  EXPECT_THAT(FactorsOfDecoder(at::ones({3}), factors, Codes({3}, {1}, 1)), wrong);
  EXPECT_THAT(FactorsOfDecoder(at::ones({3}), factors, Codes({-2}, {1}, 1)), wrong);
  EXPECT_THAT(FactorsOfDecoder(at::ones({3}), factors, Codes({1, 2}, {1, 2}, 1)), wrong);
  EXPECT_THAT(FactorsOfDecoder(at::ones({3}), factors, FactorCodes()), wrong);
  const auto not_finite = IsError(absl::StatusCode::kInvalidArgument, reason::kTensorNotFinite);
  EXPECT_THAT(FactorsOfDecoder(at::full({3}, std::nan("")), factors, code), not_finite);
  EXPECT_THAT(FactorsOfDecoder(at::ones({3}), factors, Codes({1}, {HUGE_VALF}, 1)), not_finite);
}

TEST(RowsOfFactor, AreThoseThatUseItMost) {
  const DirectionAnswer all = Found(RowsOfFactor(SomeCodes(), kFactors, 1, 10));
  EXPECT_TRUE(at::equal(all["row"], Ids({0, 1, 2})));
  EXPECT_TRUE(at::equal(all["code"], at::tensor({4., -4., 1.}, at::kDouble)));
  const DirectionAnswer one = Found(RowsOfFactor(SomeCodes(), kFactors, 1, 1));
  EXPECT_TRUE(at::equal(one["row"], Ids({0})));
  EXPECT_EQ(one.figure("rows"), 3);
  EXPECT_EQ(Found(RowsOfFactor(SomeCodes(), kFactors, 5, 10))["row"].numel(), 0);
}

TEST(RowsThatShareFactors, AreInOrderOfTheirOverlap) {
  const DirectionAnswer answer = Found(RowsThatShareFactors(SomeCodes(), kFactors, 0, 10));
  EXPECT_TRUE(at::equal(answer["row"], Ids({1, 2})));
  EXPECT_TRUE(at::equal(answer["shared"], Ids({2, 1})));
  EXPECT_NEAR(answer["overlap"][0].item<double>(), -1, 1e-12);
  EXPECT_NEAR(answer["overlap"][1].item<double>(), 4 / (5 * std::sqrt(2.0)), 1e-12);
  EXPECT_EQ(answer.figure("rows"), 2);
  EXPECT_TRUE(at::equal(Found(RowsThatShareFactors(SomeCodes(), kFactors, 0, 1))["row"], Ids({1})));
}

TEST(RowsThatShareFactors, AreNoneForARowOfItsOwn) {
  for (const int64_t row : {3, 4}) {
    const DirectionAnswer answer = Found(RowsThatShareFactors(SomeCodes(), kFactors, row, 10));
    EXPECT_EQ(answer["row"].numel(), 0);
    EXPECT_EQ(answer.figure("rows"), 0);
  }
}

// Codes that fell to 0 share a factor all the same, without overlap.
TEST(RowsThatShareFactors, HaveADefinedOverlapWhereCodesAreZero) {
  const DirectionAnswer answer = Found(RowsThatShareFactors(Codes({0, 0}, {0, 2}, 1), 1, 0, 5));
  EXPECT_TRUE(at::equal(answer["row"], Ids({1})));
  EXPECT_EQ(answer["overlap"][0].item<double>(), 0);
}

TEST(RowsThatShareFactors, RefuseWhatIsNotThere) {
  const auto invalid = IsError(absl::StatusCode::kInvalidArgument, reason::kConfigInvalid);
  EXPECT_THAT(RowsThatShareFactors(SomeCodes(), kFactors, 5, 1), invalid);
  EXPECT_THAT(RowsThatShareFactors(SomeCodes(), kFactors, -1, 1), invalid);
  EXPECT_THAT(RowsThatShareFactors(SomeCodes(), kFactors, 0, 0), invalid);
  EXPECT_THAT(RowsOfFactor(SomeCodes(), kFactors, kFactors, 1), invalid);
  EXPECT_THAT(RowsOfFactor(SomeCodes(), kFactors, 0, -1), invalid);
  EXPECT_THAT(RowsOfFactor(SomeCodes(), 4, 0, 1),
              IsError(absl::StatusCode::kInvalidArgument, reason::kTensorShapeMismatch));
}

}  // namespace
}  // namespace superpose
