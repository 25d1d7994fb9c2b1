#include "lib/factorization/factor_loops.h"

#include <cmath>
#include <limits>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace superpose {
namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

// Similarities of all sizes, more than a few vectors of the processor and not a whole number of them.
std::vector<float> Similarities() {
  std::vector<float> values = {0, 1, -1, 1e-20f, -1e-4f, 1e-3f, 0.3f, -0.3f, 0.9999999f};
  for (int i = -100; i <= 100; ++i) values.push_back(static_cast<float>(i) / 101);
  return values;
}

double Weight(double s, double theta) { return std::tanh(s * s / (theta * theta)); }

TEST(WeighFactorSimilarities, IsTheTermAndItsScaledDerivative) {
  constexpr float kScale = 0.25f;
  for (const float theta : {0.05f, 0.3f, 2.0f}) {
    for (const float target : {0.0f, 1.0f}) {
      const std::vector<float> q = Similarities();
      std::vector<float> derivatives = q;
      const double sum =
          WeighFactorSimilarities(derivatives.data(), static_cast<int64_t>(q.size()), theta, target, kScale);
      double expected_sum = 0;
      for (size_t i = 0; i < q.size(); ++i) {
        const double w = Weight(q[i], theta), e = static_cast<double>(q[i]) - target;
        expected_sum += w * e * e;
        const double outer = 2 * w * e, inner = (1 - w * w) * 2 * q[i] / (theta * theta) * e * e;
        // The two may cancel.
        const double tolerance = 4e-6 * (std::abs(outer) + std::abs(inner)) + 1e-30;
        EXPECT_NEAR(derivatives[i] / kScale, outer + inner, tolerance) << q[i] << " theta " << theta;
      }
      EXPECT_NEAR(sum, expected_sum, 1e-6 * expected_sum);
    }
  }
}

TEST(WeighFactorSimilarities, KeepsItsDigitsWhereTheWeightIsSmall) {
  for (const float q : {1e-6f, 1e-3f, 0.01f, 0.03f}) {
    float derivative = q;
    const double sum = WeighFactorSimilarities(&derivative, 1, 0.3f, 0, 1);
    EXPECT_NEAR(sum / (Weight(q, 0.3f) * q * q), 1, 1e-6) << q;
  }
}

TEST(WeighFactorSimilarities, TellsOfNan) {
  std::vector<float> q(40, 0.5f);
  q[33] = kNan;
  EXPECT_TRUE(std::isnan(WeighFactorSimilarities(q.data(), 40, 0.3f, 0, 1)));
}

TEST(WeighDecoderSimilarities, IsTheTermAndTheWeightedError) {
  const std::vector<float> s = Similarities();
  std::vector<float> images(s.size());
  for (size_t i = 0; i < s.size(); ++i) images[i] = 3 * s[i] - 0.25f;
  std::vector<float> weighted = images;
  const double sum = WeighDecoderSimilarities(s.data(), weighted.data(), static_cast<int64_t>(s.size()), 0.3f);
  double expected_sum = 0;
  for (size_t i = 0; i < s.size(); ++i) {
    const double w = Weight(s[i], 0.3f), e = static_cast<double>(s[i]) - images[i];
    expected_sum += w * e * e;
    EXPECT_NEAR(weighted[i], w * e, 2e-6 * std::abs(w * e) + 1e-30) << s[i];
  }
  EXPECT_NEAR(sum, expected_sum, 1e-6 * expected_sum);
}

TEST(WeighDecoderSimilarities, TellsOfAnImageThatIsNotFinite) {
  const float s = 0.5f;
  float image = std::numeric_limits<float>::infinity();
  EXPECT_FALSE(std::isfinite(WeighDecoderSimilarities(&s, &image, 1, 0.3f)));
}

TEST(LargestMagnitude, OfBothSignsInEveryPlace) {
  for (const size_t n : {1, 15, 16, 17, 40}) {
    for (size_t place = 0; place < n; ++place) {
      std::vector<float> values(n, 0.25f);
      values[place] = -0.5f;
      EXPECT_EQ(LargestMagnitude(values.data(), static_cast<int64_t>(n)), 0.5f);
    }
  }
}

TEST(LargestMagnitude, LooksPastNan) {
  const std::vector<float> all(20, kNan);
  EXPECT_EQ(LargestMagnitude(all.data(), 20), -1);
  std::vector<float> some = all;
  some[18] = 0;
  EXPECT_EQ(LargestMagnitude(some.data(), 20), 0);
  EXPECT_EQ(LargestMagnitude(all.data(), 0), -1);
}

TEST(NormalizeRow, GivesTheLengthBack) {
  const std::vector<float> row = {3, 0, -4};
  std::vector<float> unit(3);
  EXPECT_EQ(NormalizeRow(row.data(), unit.data(), 3), 5);
  EXPECT_THAT(unit, testing::Pointwise(testing::FloatEq(), {0.6f, 0.0f, -0.8f}));
}

TEST(ProjectGradientRow, LeavesNothingAlongTheRow) {
  const std::vector<float> unit = {0.6f, 0, -0.8f};
  std::vector<float> gradient = {1, 2, 3};  // along: 0.6 - 2.4 = -1.8
  ProjectGradientRow(gradient.data(), unit.data(), 2, 3);
  EXPECT_THAT(gradient, testing::Pointwise(testing::FloatNear(1e-6f), {1.04f, 1.0f, 0.78f}));
}

}  // namespace
}  // namespace superpose
