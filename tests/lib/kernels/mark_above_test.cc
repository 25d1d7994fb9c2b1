#include "lib/kernels/mark_above.h"

#include <cmath>
#include <limits>
#include <vector>

#include "gtest/gtest.h"
#include "tests/lib/kernels/vector_levels.h"

namespace superpose {
namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

class MarkAboveTest : public testing::TestWithParam<VectorLevel> {};
INSTANTIATE_TEST_SUITE_P(Levels, MarkAboveTest, testing::ValuesIn(RunnableLevels()), NameOfLevel);

bool IsMarked(const std::vector<uint64_t>& marks, int64_t i) { return (marks[i / 64] >> (i % 64) & 1) != 0; }

TEST_P(MarkAboveTest, MarksWhatTheFormulaSaysForAnyWidth) {
  for (const int64_t n : {1, 7, 8, 15, 16, 17, 63, 64, 65, 127, 128, 129, 1000}) {
    std::vector<float> values(n), bias(n), thresholds(n);
    for (int64_t i = 0; i < n; ++i) {
      values[i] = std::sin(static_cast<float>(i) * 1.7F);
      bias[i] = std::cos(static_cast<float>(i) * 0.3F);
      thresholds[i] = i % 5 == 0 ? 0.0F : 0.25F * static_cast<float>(i % 7);
    }
    std::vector<uint64_t> marks((n + 63) / 64, ~uint64_t{0});
    const int64_t count = MarkAbove(values.data(), bias.data(), thresholds.data(), n, marks.data(), GetParam());
    int64_t expected = 0;
    for (int64_t i = 0; i < n; ++i) {
      const bool is_above = values[i] + bias[i] > thresholds[i];
      expected += is_above ? 1 : 0;
      EXPECT_EQ(IsMarked(marks, i), is_above) << i << " of " << n;
    }
    EXPECT_EQ(count, expected) << n;
    for (int64_t i = n; i < static_cast<int64_t>(marks.size()) * 64; ++i) EXPECT_FALSE(IsMarked(marks, i)) << i;
  }
}

TEST_P(MarkAboveTest, NeitherTheThresholdItselfNorNanIsAbove) {
  // Of a whole word, and of what is left over after it.
  for (const int64_t first : {0, 64}) {
    std::vector<float> values(72, 0.0F), bias(72, 0.0F), thresholds(72, 1.0F);
    values[first] = 1.0F;
    values[first + 1] = std::nextafter(1.0F, 2.0F);
    values[first + 2] = kNan;
    values[first + 3] = kInfinity;
    values[first + 4] = -kInfinity;
    bias[first + 5] = kNan;
    thresholds[first + 6] = kNan;
    thresholds[first + 7] = -1.0F;
    std::vector<uint64_t> marks(2);
    EXPECT_EQ(MarkAbove(values.data(), bias.data(), thresholds.data(), 72, marks.data(), GetParam()), 3);
    EXPECT_EQ(marks[first / 64], 0b10001010U);
  }
}

TEST_P(MarkAboveTest, AllAndNoneAreMarked) {
  const std::vector<float> values(130, 2.0F), none(130, 0.0F), high(130, 3.0F);
  std::vector<uint64_t> marks(3);
  EXPECT_EQ(MarkAbove(values.data(), none.data(), none.data(), 130, marks.data(), GetParam()), 130);
  EXPECT_EQ(marks, (std::vector<uint64_t>{~uint64_t{0}, ~uint64_t{0}, 0b11U}));
  EXPECT_EQ(MarkAbove(values.data(), none.data(), high.data(), 130, marks.data(), GetParam()), 0);
  EXPECT_EQ(marks, std::vector<uint64_t>(3));
  EXPECT_EQ(MarkAbove(values.data(), none.data(), none.data(), 0, marks.data(), GetParam()), 0);
}

}  // namespace
}  // namespace superpose
