#include "lib/kernels/int8_vector.h"

#include <bit>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace superpose {
namespace {

using testing::Each;

std::vector<float> Normal(int64_t n, float scale, int seed = 0) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  std::vector<float> values(n);
  for (float& value : values) value = scale * normal(random);
  return values;
}

double Norm(const std::vector<double>& values) {
  double squares = 0;
  for (const double value : values) squares += value * value;
  return std::sqrt(squares);
}

// A bound that is no bound, or is a loose one, is wrong.
void ExpectJustAbove(double bound, double norm) {
  EXPECT_GE(bound, norm);
  EXPECT_LE(bound, norm * 1.00001 + 1e-40);
}

void ExpectBounds(const std::vector<float>& h) {
  std::vector<int8_t> q(h.size());
  const Int8Vector vector = QuantizeInt8(h.data(), static_cast<int64_t>(h.size()), q.data());
  std::vector<double> exact(h.begin(), h.end()), coarse, lost;
  int32_t sum = 0;
  for (size_t k = 0; k < h.size(); ++k) {
    EXPECT_GE(q[k], -127);
    sum += q[k];
    coarse.push_back(static_cast<double>(vector.scale) * q[k]);
    lost.push_back(exact[k] - coarse[k]);
  }
  EXPECT_EQ(vector.sum, sum);
  ExpectJustAbove(vector.length, Norm(exact));
  ExpectJustAbove(vector.norm, Norm(coarse));
  ExpectJustAbove(vector.error, Norm(lost));
}

TEST(QuantizeInt8Test, TheNormsAreBoundsAndTight) {
  for (const int64_t n : {16, 64, 768}) {
    for (const float scale : {1e-25F, 1e-3F, 1.0F, 1e20F, 1e36F}) ExpectBounds(Normal(n, scale));
  }
}

TEST(QuantizeInt8Test, AnErrorIsHalfAStepAtMost) {
  const std::vector<float> h = Normal(768, 1);
  std::vector<int8_t> q(768);
  const Int8Vector vector = QuantizeInt8(h.data(), 768, q.data());
  for (int64_t k = 0; k < 768; ++k) EXPECT_LE(std::fabs(h[k] - vector.scale * q[k]), 0.5001F * vector.scale);
  EXPECT_LT(vector.error, 0.01F * vector.length);
}

TEST(QuantizeInt8Test, OfWhatIsZeroOrNearlyNothingIsLeft) {
  for (const float tiny : {0.0F, 1e-42F, 1e-35F}) {
    ExpectBounds(std::vector<float>(64, tiny));
    std::vector<int8_t> q(64, 1);
    EXPECT_EQ(QuantizeInt8(std::vector<float>(64, tiny).data(), 64, q.data()).scale, 0);
    EXPECT_THAT(q, Each(0));
  }
}

TEST(QuantizeInt8Test, OneLargeValueLeavesTheOthersToTheError) {
  std::vector<float> h = Normal(768, 1e-3F);
  h[100] = 1e6F;
  ExpectBounds(h);
}

TEST(QuantizeInt8Test, OfWhatIsNotFiniteNothingIsKnown) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  for (const float bad : {kInfinity, -kInfinity, std::numeric_limits<float>::quiet_NaN()}) {
    std::vector<float> h = Normal(64, 1);
    h[17] = bad;
    std::vector<int8_t> q(64, 1);
    const Int8Vector vector = QuantizeInt8(h.data(), 64, q.data());
    EXPECT_EQ(vector.error, kInfinity);
    EXPECT_EQ(vector.length, kInfinity);
    EXPECT_THAT(q, Each(0));
  }
}

TEST(RotateBlocksTest, IsTheMatrixOfSignsBlockByBlock) {
  for (const int64_t block : {16, 32, 64, 256}) {
    const std::vector<float> before = Normal(3 * block, 1);
    std::vector<float> after = before;
    RotateBlocks(after.data(), 3 * block, block);
    for (int64_t i = 0; i < 3 * block; ++i) {
      double expected = 0;
      for (int64_t j = 0; j < block; ++j) {
        const bool is_negative = std::popcount(static_cast<uint64_t>(i % block & j)) % 2 == 1;
        expected += (is_negative ? -1.0 : 1.0) * before[i / block * block + j];
      }
      EXPECT_NEAR(after[i], expected, 1e-4) << i << " with blocks of " << block;
    }
  }
}

TEST(RotateBlocksTest, TwiceIsTheSameTimesTheBlock) {
  std::vector<float> values(128);
  for (int64_t i = 0; i < 128; ++i) values[i] = static_cast<float>(i % 11);
  const std::vector<float> before = values;
  RotateBlocks(values.data(), 128, 64);
  RotateBlocks(values.data(), 128, 64);
  for (int64_t i = 0; i < 128; ++i) EXPECT_EQ(values[i], 64 * before[i]);
}

}  // namespace
}  // namespace superpose
