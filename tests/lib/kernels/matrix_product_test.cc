#include "lib/kernels/matrix_product.h"

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

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

std::vector<float> RandomFloats(int64_t count, uint32_t seed) {
  std::mt19937 generator(seed);
  std::normal_distribution<float> normal;
  std::vector<float> values(count);
  for (float& value : values) value = normal(generator);
  return values;
}

double GeluOf(double x) { return 0.5 * x * (1 + std::tanh(std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x))); }

// rows x depth times depth x columns, each row with `gap` floats behind it that are not to be touched.
struct Problem {
  int64_t rows, columns, depth, gap;
  std::vector<float> a, b, bias;
  Problem(int64_t rows, int64_t columns, int64_t depth, int64_t gap)
      : rows(rows),
        columns(columns),
        depth(depth),
        gap(gap),
        a(RandomFloats(rows * (depth + gap), 1)),
        b(RandomFloats(depth * (columns + gap), 2)),
        bias(RandomFloats(columns, 3)) {}
  std::vector<float> Run(VectorLevel level, bool gelu = false) const {
    std::vector<float> out(rows * (columns + gap), kNaN);
    MultiplyMatrices({.a = a.data(),
                      .a_stride = depth + gap,
                      .b = b.data(),
                      .b_stride = columns + gap,
                      .out = out.data(),
                      .out_stride = columns + gap,
                      .rows = rows,
                      .columns = columns,
                      .depth = depth,
                      .bias = bias.data(),
                      .gelu = gelu},
                     level);
    return out;
  }
  double Exact(int64_t i, int64_t j) const {
    double sum = bias[j];
    for (int64_t k = 0; k < depth; ++k) sum += double{a[i * (depth + gap) + k]} * b[k * (columns + gap) + j];
    return sum;
  }
};

class MatrixProductTest : public testing::TestWithParam<VectorLevel> {};
INSTANTIATE_TEST_SUITE_P(Levels, MatrixProductTest, testing::ValuesIn(RunnableLevels()), NameOfLevel);

// One, a tile, one more and one less than tiles, blocks of rows, columns and terms.
TEST_P(MatrixProductTest, EqualsTheSumOfEveryShape) {
  for (const auto& [rows, columns, depth] : std::vector<std::tuple<int64_t, int64_t, int64_t>>{
           {1, 1, 1}, {1, 48, 256}, {9, 47, 255}, {10, 49, 257}, {4, 481, 3}, {109, 50, 513}, {3, 97, 600}}) {
    const Problem problem(rows, columns, depth, 3);
    const std::vector<float> out = problem.Run(GetParam());
    const double allowed = 2e-6 * std::sqrt(static_cast<double>(depth)) * 4;
    for (int64_t i = 0; i < rows; ++i) {
      for (int64_t j = 0; j < columns; ++j) {
        ASSERT_NEAR(out[i * (columns + 3) + j], problem.Exact(i, j), allowed) << rows << ' ' << i << ' ' << j;
      }
      for (int64_t j = columns; j < columns + 3; ++j) ASSERT_TRUE(std::isnan(out[i * (columns + 3) + j])) << i;
    }
  }
}

TEST_P(MatrixProductTest, NoTermsLeaveTheBias) {
  const Problem problem(5, 50, 0, 0);
  const std::vector<float> out = problem.Run(GetParam());
  for (int64_t i = 0; i < 5; ++i) {
    EXPECT_TRUE(std::equal(problem.bias.begin(), problem.bias.end(), out.begin() + i * 50));
  }
}

std::vector<float> Transposed(const std::vector<float>& matrix, int64_t rows, int64_t columns) {
  std::vector<float> transposed(matrix.size());
  for (int64_t i = 0; i < rows; ++i) {
    for (int64_t j = 0; j < columns; ++j) transposed[j * rows + i] = matrix[i * columns + j];
  }
  return transposed;
}

// Whole vectors of each width, and some that are not.
TEST_P(MatrixProductTest, TransposedFactorsGiveTheSameBits) {
  for (const auto& [rows, columns, depth] :
       std::vector<std::tuple<int64_t, int64_t, int64_t>>{{20, 61, 300}, {120, 96, 256}, {1, 5, 3}, {7, 49, 17}}) {
    const Problem problem(rows, columns, depth, 0);
    const std::vector<float> a = Transposed(problem.a, rows, depth), b = Transposed(problem.b, depth, columns);
    std::vector<float> out(rows * columns);
    MultiplyMatrices({.a = a.data(),
                      .a_stride = rows,
                      .a_transposed = true,
                      .b = b.data(),
                      .b_stride = depth,
                      .b_transposed = true,
                      .out = out.data(),
                      .out_stride = columns,
                      .rows = rows,
                      .columns = columns,
                      .depth = depth,
                      .bias = problem.bias.data()},
                     GetParam());
    EXPECT_EQ(out, problem.Run(GetParam())) << rows;
  }
}

TEST_P(MatrixProductTest, ASumIsAddedToWhatIsThere) {
  const Problem problem(11, 53, 300, 0);
  std::vector<float> out = RandomFloats(11 * 53, 5);
  const std::vector<float> before = out;
  MultiplyMatrices({.a = problem.a.data(),
                    .a_stride = 300,
                    .b = problem.b.data(),
                    .b_stride = 53,
                    .out = out.data(),
                    .out_stride = 53,
                    .rows = 11,
                    .columns = 53,
                    .depth = 300,
                    .add = true,
                    .bias = problem.bias.data()},
                   GetParam());
  for (int64_t i = 0; i < 11; ++i) {
    for (int64_t j = 0; j < 53; ++j) {
      EXPECT_NEAR(out[i * 53 + j], before[i * 53 + j] + problem.Exact(i, j), 1e-4) << i << ' ' << j;
    }
  }
}

// Exact where whole numbers are multiplied, beyond what float could hold.
TEST_P(MatrixProductTest, DoublesKeepTheirDigits) {
  constexpr int64_t kRows = 13, kColumns = 29, kDepth = 270;
  std::vector<double> a(kRows * kDepth), b(kDepth * kColumns), out(kRows * kColumns);
  for (size_t i = 0; i < a.size(); ++i) a[i] = static_cast<double>(i * 1'000'003 % 2'000'003);
  for (size_t i = 0; i < b.size(); ++i) b[i] = static_cast<double>(i * 700'001 % 999'983);
  MultiplyMatrices(ProductOf<double>{.a = a.data(),
                                     .a_stride = kDepth,
                                     .b = b.data(),
                                     .b_stride = kColumns,
                                     .out = out.data(),
                                     .out_stride = kColumns,
                                     .rows = kRows,
                                     .columns = kColumns,
                                     .depth = kDepth},
                   GetParam());
  for (int64_t i = 0; i < kRows; ++i) {
    for (int64_t j = 0; j < kColumns; ++j) {
      int64_t sum = 0;
      for (int64_t k = 0; k < kDepth; ++k) {
        sum += static_cast<int64_t>(a[i * kDepth + k]) * static_cast<int64_t>(b[k * kColumns + j]);
      }
      ASSERT_EQ(out[i * kColumns + j], static_cast<double>(sum)) << i << ' ' << j;
    }
  }
}

// A row's results are the same bits alone and among others, an element's in a narrow product and in a wide one.
TEST_P(MatrixProductTest, BitsDependOnNoSize) {
  const Problem all(23, 100, 700, 0);
  const std::vector<float> expected = all.Run(GetParam());
  for (int64_t rows : {1, 2, 4, 5, 9, 10}) {
    Problem some = all;
    some.rows = rows;
    std::vector<float> first(expected.begin(), expected.begin() + rows * 100);
    EXPECT_EQ(some.Run(GetParam()), first) << rows;
  }
  Problem narrow = all;
  narrow.columns = 7;
  narrow.gap = 93;
  narrow.a.resize(23 * 793);
  for (int64_t i = 0; i < 23; ++i) std::copy_n(all.a.data() + i * 700, 700, narrow.a.data() + i * 793);
  const std::vector<float> out = narrow.Run(GetParam());
  for (int64_t i = 0; i < 23; ++i) {
    for (int64_t j = 0; j < 7; ++j) EXPECT_EQ(out[i * 100 + j], expected[i * 100 + j]) << i << ' ' << j;
  }
}

TEST_P(MatrixProductTest, TheEndAppliesGelu) {
  const Problem problem(11, 53, 300, 0);
  std::vector<float> expected = problem.Run(GetParam());
  GeluTanh(expected.data(), expected.data(), static_cast<int64_t>(expected.size()), GetParam());
  EXPECT_EQ(problem.Run(GetParam(), /*gelu=*/true), expected);
}

TEST_P(MatrixProductTest, NaNAndInfinityReachTheirRowAlone) {
  Problem problem(3, 50, 10, 0);
  problem.a[10] = kNaN;
  problem.a[20] = kInfinity;
  const std::vector<float> out = problem.Run(GetParam());
  EXPECT_TRUE(std::all_of(out.begin(), out.begin() + 50, [](float x) { return std::isfinite(x); }));
  EXPECT_TRUE(std::all_of(out.begin() + 50, out.begin() + 100, [](float x) { return std::isnan(x); }));
  EXPECT_TRUE(std::all_of(out.begin() + 100, out.end(), [](float x) { return std::isinf(x); }));
}

TEST_P(MatrixProductTest, GeluEqualsItsDefinition) {
  std::vector<float> x = RandomFloats(1003, 4);
  for (float& value : x) value *= 4;
  std::vector<float> out(x.size());
  GeluTanh(x.data(), out.data(), static_cast<int64_t>(x.size()), GetParam());
  for (size_t i = 0; i < x.size(); ++i) EXPECT_NEAR(out[i], GeluOf(x[i]), 4e-7 * std::max(1.0f, std::abs(x[i])));
}

TEST_P(MatrixProductTest, GeluOfExtremes) {
  const std::vector<float> x = {0, -0.0f, 1e-30f, 50, -50, 1e10f, -1e10f, kInfinity, kNaN};
  std::vector<float> out(x.size());
  GeluTanh(x.data(), out.data(), static_cast<int64_t>(x.size()), GetParam());
  EXPECT_EQ(out[0], 0);
  EXPECT_EQ(out[1], 0);
  EXPECT_FLOAT_EQ(out[2], 5e-31f);
  EXPECT_EQ(out[3], 50);
  EXPECT_NEAR(out[4], 0, 1e-30);
  EXPECT_EQ(out[5], 1e10f);
  EXPECT_NEAR(out[6], 0, 1e-20);
  EXPECT_EQ(out[7], kInfinity);
  EXPECT_TRUE(std::isnan(out[8]));
}

}  // namespace
}  // namespace superpose
