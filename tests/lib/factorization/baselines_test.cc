#include "lib/factorization/baselines.h"

#include <ATen/ATen.h>

#include "gtest/gtest.h"
#include "tests/lib/factorization/dense_factorization.h"
#include "tests/support/golden.h"

namespace superpose {
namespace {

at::Tensor Centres(const at::Tensor& rows, int64_t count, uint64_t seed = 0) {
  KMeansCentres means(rows.to(at::kFloat), count, seed);
  while (!means.RunUnit()) continue;
  return means.centres().clone();
}

// Mean cosine of rows and their centre.
double Closeness(const at::Tensor& rows, const at::Tensor& centres) {
  return std::get<0>(rows.to(at::kFloat).mm(centres.t()).max(1)).mean().item<double>();
}

TEST(KMeansCentres, AFixedPointIsTheMeanOfItsRows) {
  const at::Tensor rows = SomeUnitRows(12, 6), centres = Centres(rows, 2);
  const at::Tensor nearest = std::get<1>(rows.to(at::kFloat).mm(centres.t()).max(1));
  const at::Tensor sums = at::zeros({2, 6}, at::kDouble).index_add(0, nearest, rows);
  EXPECT_LT(LargestError(centres, UnitRows(sums)), 1e-5);
}

TEST(KMeansCentres, EachRoundsCentresAreNearerToRowsThanTheStarts) {
  const at::Tensor rows = SomeUnitRows(3000, 12);
  for (const int64_t count : {5, 1100}) {
    const at::Tensor centres = Centres(rows, count);
    EXPECT_EQ(centres.size(0), count);
    EXPECT_LT(LargestError(centres.norm(2, at::IntArrayRef{1}), at::ones({count})), 1e-5);
    EXPECT_GT(Closeness(rows, centres), Closeness(rows, rows.narrow(0, 0, count).to(at::kFloat)) + 0.005);
  }
}

TEST(KMeansCentres, FindsWellSeparatedBunches) {
  const at::Tensor bunches = at::eye(4, 10, at::kDouble);
  const at::Tensor rows = UnitRows(bunches.repeat({30, 1}) + 0.02 * SomeUnitRows(120, 10));
  double best = 0;
  for (uint64_t seed = 0; seed < 64; ++seed) best = std::max(best, Closeness(rows, Centres(rows, 4, seed)));
  EXPECT_GT(best, 0.999);
}

TEST(KMeansCentres, NoMoreCentresThanRowsAndRowsThatCancel) {
  EXPECT_EQ(Centres(SomeUnitRows(5, 4), 9).size(0), 5);
  const at::Tensor row = SomeUnitRows(1, 4);
  const at::Tensor centres = Centres(at::cat({row, -row}), 1);  // the sum of both is zero
  EXPECT_LT(LargestError(centres.abs(), row.abs()), 1e-6);
}

TEST(PrincipalDirections, AreOrthonormalAndHoldTheMostSquares) {
  const at::Tensor scales = at::tensor({0.1, 3.0, 0.2, 2.0, 0.1}, at::kDouble);
  const at::Tensor rows = UnitRows(SomeUnitRows(200, 5) * scales);
  const at::Tensor directions = PrincipalDirections(rows.to(at::kFloat), 2);
  EXPECT_LT(LargestError(directions.mm(directions.t()), at::eye(2)), 1e-6);
  const double held = rows.to(at::kFloat).mm(directions.t()).square().sum().item<double>();
  const at::Tensor singular = std::get<1>(at::linalg_svd(rows)).square();
  EXPECT_NEAR(held, singular.narrow(0, 0, 2).sum().item<double>(), 1e-2);
  EXPECT_GT(directions[0][1].abs().item<double>(), 0.9);  // the largest first
}

TEST(PrincipalDirections, NoMoreThanRowsOrWidth) {
  EXPECT_EQ(PrincipalDirections(SomeUnitRows(30, 4).to(at::kFloat), 9).size(0), 4);
  EXPECT_EQ(PrincipalDirections(SomeUnitRows(3, 8).to(at::kFloat), 9).size(0), 3);
}

}  // namespace
}  // namespace superpose
