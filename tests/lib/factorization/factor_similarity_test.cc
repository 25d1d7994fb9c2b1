#include "lib/factorization/factor_similarity.h"

#include <ATen/ATen.h>

#include "gtest/gtest.h"
#include "tests/lib/factorization/dense_factorization.h"
#include "tests/support/golden.h"

namespace superpose {
namespace {

FactorSimilarity Scan(const at::Tensor& factors) {
  SimilarityScan scan(factors.to(at::kFloat));
  while (!scan.RunUnit()) continue;
  return scan.similarity();
}

TEST(SimilarityScan, IsTheDenseAnswerForSizesAroundATile) {
  for (const int64_t m : {2, 40, 1024, 1025, 2100}) {
    const at::Tensor factors = SomeUnitRows(m, 24), q = factors.mm(factors.t());
    const FactorSimilarity similarity = Scan(factors);
    const at::Tensor others = q.abs().fill_diagonal_(-1);
    EXPECT_LT(LargestError(similarity.closeness, std::get<0>(others.max(1))), 1e-6) << m;
    const at::Tensor found = others.gather(1, similarity.nearest.unsqueeze(1)).squeeze(1);
    EXPECT_LT(LargestError(similarity.closeness, found), 1e-6) << m;
    const at::Tensor earlier = at::where(at::ones_like(q, at::kBool).tril(-1), q.abs(), at::full_like(q, -1));
    EXPECT_LT(LargestError(similarity.earlier, std::get<0>(earlier.max(1))), 1e-6) << m;
    EXPECT_EQ(similarity.histogram.sum().item<int64_t>(), m * (m - 1) / 2) << m;
    const at::Tensor pairs = q.masked_select(at::ones_like(q, at::kBool).triu(1)).to(at::kFloat);
    const at::Tensor expected = at::histc(pairs, kSimilarityBins, -1, 1).to(at::kLong);
    // A pair at the edge of a bin may round to either side.
    EXPECT_LE((similarity.histogram - expected).abs().sum().item<int64_t>(), 2 + m * m / 20'000) << m;
  }
}

TEST(SimilarityScan, OneFactorHasNoOther) {
  const FactorSimilarity similarity = Scan(SomeUnitRows(1, 4));
  EXPECT_EQ(similarity.nearest[0].item<int64_t>(), -1);
  EXPECT_EQ(similarity.closeness[0].item<float>(), -1);
  EXPECT_EQ(similarity.histogram.sum().item<int64_t>(), 0);
  EXPECT_EQ(CountDuplicates(similarity, 0.95), 0);
}

TEST(CountDuplicates, CountsThoseThatRepeatAnEarlierOne) {
  const at::Tensor factors = at::eye(6, at::kDouble).index_select(0, at::tensor({0, 1, 0, 2, 0, 1}, at::kLong));
  at::Tensor signs = at::ones({6, 1}, at::kDouble);
  signs[4][0] = -1;  // a direction with the other sign repeats it too
  const FactorSimilarity similarity = Scan(factors * signs);
  EXPECT_EQ(CountDuplicates(similarity, 0.95), 3);
  EXPECT_EQ(similarity.nearest[5].item<int64_t>(), 1);
  EXPECT_EQ(similarity.histogram[0].item<int64_t>(), 2);                    // -1: (0, 4) and (2, 4)
  EXPECT_EQ(similarity.histogram[kSimilarityBins - 1].item<int64_t>(), 2);  // 1: (0, 2) and (1, 5)
}

TEST(FactorMatcher, FindsWhereFactorsWentInAnotherOrderWithOtherSigns) {
  const at::Tensor left = SomeUnitRows(1500, 24), order = at::arange(1500, at::kLong).flip(0);
  FactorMatcher matcher(left.to(at::kFloat), -left.index_select(0, order).to(at::kFloat));
  while (!matcher.RunUnit()) continue;
  EXPECT_TRUE(at::equal(matcher.left().match, order));
  EXPECT_TRUE(at::equal(matcher.right().match, order));
  EXPECT_LT(LargestError(matcher.left().cosine, at::ones({1500})), 1e-6);
}

TEST(FactorMatcher, NumbersOfFactorsMayDiffer) {
  const at::Tensor left = SomeUnitRows(3, 8), right = SomeUnitRows(1100, 8, 1.3), q = left.mm(right.t()).abs();
  FactorMatcher matcher(left.to(at::kFloat), right.to(at::kFloat));
  while (!matcher.RunUnit()) continue;
  EXPECT_LT(LargestError(matcher.left().cosine, std::get<0>(q.max(1))), 1e-6);
  EXPECT_LT(LargestError(matcher.right().cosine, std::get<0>(q.max(0))), 1e-6);
}

}  // namespace
}  // namespace superpose
