#include "lib/kernels/head_attention.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <tuple>
#include <vector>

#include "gtest/gtest.h"
#include "tests/lib/kernels/vector_levels.h"

namespace superpose {
namespace {

// Queries, keys and values of one head, one beside the other.
struct Head {
  int64_t positions, d_head;
  std::vector<float> qkv;
  Head(int64_t positions, int64_t d_head) : positions(positions), d_head(d_head), qkv(positions * 3 * d_head) {
    std::mt19937 generator(static_cast<unsigned>(d_head));
    std::normal_distribution<float> normal;
    for (float& value : qkv) value = normal(generator);
  }
  HeadAttention Of(std::vector<float>& out, int64_t begin, int64_t end) const {
    return {.q = qkv.data(),
            .k = qkv.data() + d_head,
            .v = qkv.data() + 2 * d_head,
            .in_stride = 3 * d_head,
            .out = out.data(),
            .out_stride = d_head,
            .begin = begin,
            .end = end,
            .d_head = d_head,
            .scale = 0.3f};
  }
  std::vector<float> Run(VectorLevel level) const {
    std::vector<float> out(positions * d_head, std::numeric_limits<float>::quiet_NaN());
    AttendCausally(Of(out, 0, positions), level);
    return out;
  }
  std::vector<double> Exact(int64_t i) const {
    std::vector<double> weights(i + 1), out(d_head);
    double sum = 0, largest = -std::numeric_limits<double>::infinity();
    for (int64_t j = 0; j <= i; ++j) {
      for (int64_t d = 0; d < d_head; ++d) {
        weights[j] += 0.3 * qkv[i * 3 * d_head + d] * qkv[j * 3 * d_head + d_head + d];
      }
      largest = std::max(largest, weights[j]);
    }
    for (double& weight : weights) sum += weight = std::exp(weight - largest);
    for (int64_t j = 0; j <= i; ++j) {
      for (int64_t d = 0; d < d_head; ++d) out[d] += weights[j] / sum * qkv[j * 3 * d_head + 2 * d_head + d];
    }
    return out;
  }
};

class HeadAttentionTest : public testing::TestWithParam<VectorLevel> {};
INSTANTIATE_TEST_SUITE_P(Levels, HeadAttentionTest, testing::ValuesIn(RunnableLevels()), NameOfLevel);

// One position, around a tile of queries, a panel of keys and a block of scores; heads narrower and wider than a panel.
TEST_P(HeadAttentionTest, EqualsItsDefinitionForEveryShape) {
  for (const auto& [positions, d_head] : std::vector<std::tuple<int64_t, int64_t>>{
           {1, 1}, {5, 8}, {13, 64}, {33, 33}, {257, 16}, {300, 80}, {520, 5}, {9, 256}}) {
    const Head head(positions, d_head);
    const std::vector<float> out = head.Run(GetParam());
    for (int64_t i = 0; i < positions; ++i) {
      const std::vector<double> expected = head.Exact(i);
      for (int64_t d = 0; d < d_head; ++d) {
        ASSERT_NEAR(out[i * d_head + d], expected[d], 4e-5) << positions << ' ' << d_head << ' ' << i << ' ' << d;
      }
    }
  }
}

TEST_P(HeadAttentionTest, BitsDependOnNothingBehindAPosition) {
  const Head head(300, 24);
  const std::vector<float> whole = head.Run(GetParam());
  for (int64_t positions : {1, 7, 32, 100, 257, 299}) {
    Head prefix = head;
    prefix.positions = positions;
    prefix.qkv.resize(positions * 72);
    const std::vector<float> out = prefix.Run(GetParam());
    EXPECT_TRUE(std::equal(out.begin(), out.end(), whole.begin())) << positions;
  }
}

TEST_P(HeadAttentionTest, PartsOfTheQueriesGiveTheSameBits) {
  const Head head(100, 24);
  std::vector<float> out(100 * 24);
  AttendCausally(head.Of(out, 0, 37), GetParam());
  AttendCausally(head.Of(out, 37, 100), GetParam());
  EXPECT_EQ(out, head.Run(GetParam()));
}

TEST_P(HeadAttentionTest, ScoresThatAreHugeTakeAllTheWeight) {
  Head head(40, 8);
  for (int64_t d = 0; d < 8; ++d) {
    head.qkv[39 * 24 + d] = 1e4f;      // the last query
    head.qkv[3 * 24 + 8 + d] = 1e4f;   // the fourth key
    head.qkv[5 * 24 + 8 + d] = -1e4f;  // the sixth, far below
  }
  const std::vector<float> out = head.Run(GetParam());
  for (int64_t d = 0; d < 8; ++d) EXPECT_FLOAT_EQ(out[39 * 8 + d], head.qkv[3 * 24 + 16 + d]);
}

}  // namespace
}  // namespace superpose
