#include "lib/statistics/analysis/histogram.h"

#include <ATen/ATen.h>

#include <cmath>
#include <vector>

#include "tests/lib/statistics/analysis/analysis_rig.h"

namespace superpose {
namespace {

using ::testing::DoubleEq;
using ::testing::ElementsAre;
using ::testing::ElementsAreArray;

constexpr double kInfinity = HUGE_VAL;

struct Counted {
  std::vector<int64_t> counts;
  std::vector<double> edges;
  int64_t undefined = 0;
};

Counted Count(const std::vector<double>& values, int64_t bins) {
  const at::Tensor tensor = at::tensor(values, at::kDouble);
  ValueRange range;
  range.Extend(tensor);
  const Histogram histogram(range, bins);
  at::Tensor counts = at::zeros({bins}, at::kLong);
  histogram.Count(tensor, counts);
  return {Integers(counts), Doubles(histogram.Edges()), range.undefined};
}

TEST(HistogramTest, BinsHoldTheirLeftEdgeAndTheLastItsRightOneToo) {
  const Counted counted = Count({0, 1, 1, 2, 3, 4, 4}, 4);
  EXPECT_THAT(counted.counts, ElementsAre(1, 2, 1, 3));
  EXPECT_THAT(counted.edges, ElementsAre(0, 1, 2, 3, 4));
}

// 0.3 / 0.1 rounds to below 3 and 3 * 0.1 to above 0.3: what counts is the edge as it is given.
TEST(HistogramTest, ValuesAtAnEdgeAreCountedByTheEdgeThatIsGiven) {
  const Counted counted = Count({0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1}, 10);
  std::vector<int64_t> expected(10);
  for (const double value : {0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0}) {
    int64_t bin = 9;
    while (bin > 0 && value < counted.edges[bin]) --bin;
    ++expected[bin];
  }
  EXPECT_THAT(counted.counts, ElementsAreArray(expected));
}

TEST(HistogramTest, WhatIsNotFiniteIsLeftOut) {
  const Counted counted = Count({NAN, 1, kInfinity, 3, -kInfinity, NAN}, 2);
  EXPECT_THAT(counted.counts, ElementsAre(1, 1));
  EXPECT_THAT(counted.edges, ElementsAre(1, 2, 3));
  EXPECT_EQ(counted.undefined, 2);
}

TEST(HistogramTest, EqualValuesLieInTheMiddleOfOneUnit) {
  const Counted counted = Count({2, 2, 2}, 3);
  EXPECT_THAT(counted.counts, ElementsAre(0, 3, 0));
  EXPECT_THAT(counted.edges, ElementsAre(DoubleEq(1.5), DoubleEq(1.5 + 1.0 / 3), DoubleEq(1.5 + 2.0 / 3), 2.5));
}

TEST(HistogramTest, HugeEqualValuesAreCounted) {
  const Counted counted = Count({1e300, 1e300}, 2);
  EXPECT_EQ(counted.counts[0] + counted.counts[1], 2);
  EXPECT_LT(counted.edges[0], counted.edges[2]);
}

TEST(HistogramTest, NoValuesAtAllGiveEmptyBinsFromZeroToOne) {
  const Counted counted = Count({NAN}, 2);
  EXPECT_THAT(counted.counts, ElementsAre(0, 0));
  EXPECT_THAT(counted.edges, ElementsAre(0, 0.5, 1));
}

TEST(HistogramTest, RowsAreCountedEachForItself) {
  const at::Tensor values = at::tensor({0.0, 1.0, 2.0, 2.0, NAN, 2.0}, at::kDouble).reshape({2, 3});
  ValueRange range;
  range.Extend(values);
  at::Tensor counts = at::ones({2, 2}, at::kLong);
  Histogram(range, 2).CountRows(values, counts);
  EXPECT_THAT(Integers(counts), ElementsAre(2, 3, 1, 3));
}

TEST(HistogramTest, BinsAreBounded) {
  EXPECT_OK(CheckBins(1));
  EXPECT_OK(CheckBins(kMostBins));
  for (const int64_t bins : {int64_t{-1}, int64_t{0}, kMostBins + 1}) {
    EXPECT_THAT(CheckBins(bins), testing::AllOf(IsError(absl::StatusCode::kInvalidArgument, reason::kConfigInvalid),
                                                MessageHas("1 .. 10000")));
  }
}

}  // namespace
}  // namespace superpose
