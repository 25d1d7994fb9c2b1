#include "lib/kernels/row_sums.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <random>
#include <vector>

#include "gtest/gtest.h"
#include "tests/lib/kernels/vector_levels.h"

namespace superpose {
namespace {

constexpr int64_t kTableRows = 50, kStride = 300;

// A table of random rows, and random terms of a sum, more of them than are asked for ahead.
struct Terms {
  std::vector<float> table, weights;
  std::vector<int32_t> ids;
  explicit Terms(int64_t count) {
    std::mt19937 generator(static_cast<uint32_t>(count));
    std::normal_distribution<float> normal;
    std::uniform_int_distribution<int32_t> row(0, kTableRows - 1);
    table.resize(kTableRows * kStride);
    std::generate(table.begin(), table.end(), [&] { return normal(generator); });
    for (int64_t i = 0; i < count; ++i) {
      weights.push_back(normal(generator));
      ids.push_back(row(generator));
    }
  }
  WeightedRows First(int64_t count) const {
    return {.first_row = table.data(),
            .stride = kStride,
            .ids = ids.data(),
            .weights = weights.data(),
            .count = count,
            .ahead = static_cast<int64_t>(ids.size()) - count};
  }
  double Exact(int64_t count, int64_t column) const {
    double sum = 0;
    for (int64_t i = 0; i < count; ++i) sum += double{weights[i]} * table[ids[i] * kStride + column];
    return sum;
  }
};

class RowSumsTest : public testing::TestWithParam<VectorLevel> {};
INSTANTIATE_TEST_SUITE_P(Levels, RowSumsTest, testing::ValuesIn(RunnableLevels()), NameOfLevel);

// Parts of vectors, whole ones, several and a panel.
TEST_P(RowSumsTest, AreExactForEveryWidthAndNumberOfTerms) {
  const Terms terms(40);
  for (int64_t n : {1, 3, 4, 15, 16, 17, 63, 64, 100, 255, 256}) {
    for (int64_t count : {0, 1, 5, 6, 7, 40}) {
      std::vector<float> out(n + 1, std::numeric_limits<float>::quiet_NaN());
      SumRows(terms.First(count), n, /*start=*/nullptr, out.data(), GetParam());
      for (int64_t c = 0; c < n; ++c) ASSERT_NEAR(out[c], terms.Exact(count, c), 2e-5) << n << ' ' << count << ' ' << c;
      ASSERT_TRUE(std::isnan(out[n])) << "nothing is written behind the sums";
    }
  }
}

TEST_P(RowSumsTest, BeginAtTheirStart) {
  const Terms terms(9);
  std::vector<float> out(77);
  std::iota(out.begin(), out.end(), 1.0f);
  SumRows(terms.First(9), 77, out.data(), out.data(), GetParam());
  for (int64_t c = 0; c < 77; ++c) EXPECT_NEAR(out[c], static_cast<double>(c + 1) + terms.Exact(9, c), 5e-5) << c;
}

// Midcoders are the same bits whatever shape their work has.
TEST_P(RowSumsTest, BitsDependOnNoWidth) {
  const Terms terms(30);
  std::vector<float> all(kPanel), some(kPanel);
  SumRows(terms.First(30), kPanel, nullptr, all.data(), GetParam());
  for (int64_t n : {1, 15, 40, 70, 200}) {
    SumRows(terms.First(30), n, nullptr, some.data(), GetParam());
    EXPECT_TRUE(std::equal(some.begin(), some.begin() + n, all.begin())) << n;
  }
}

TEST_P(RowSumsTest, NaNReachesItsColumnAlone) {
  Terms terms(3);
  terms.table[terms.ids[1] * kStride + 20] = std::numeric_limits<float>::quiet_NaN();
  std::vector<float> out(64);
  SumRows(terms.First(3), 64, nullptr, out.data(), GetParam());
  for (int64_t c = 0; c < 64; ++c) EXPECT_EQ(std::isnan(out[c]), c == 20) << c;
}

}  // namespace
}  // namespace superpose
