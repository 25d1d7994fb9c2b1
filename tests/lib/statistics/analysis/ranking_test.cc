#include "lib/statistics/analysis/ranking.h"

#include <ATen/ATen.h>

#include <cmath>

#include "tests/lib/statistics/analysis/analysis_rig.h"

namespace superpose {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

at::Tensor Values() { return at::tensor({1.0, NAN, -HUGE_VAL, 3.0, 1.0, NAN, 3.0}, at::kDouble); }

TEST(RankingTest, TheLargestComesFirstEqualOnesByIndexAndNaNLast) {
  EXPECT_THAT(Integers(DescendingOrder(Values())), ElementsAre(3, 6, 0, 4, 2, 1, 5));
}

TEST(RankingTest, RanksAreThePlacesInThatOrder) {
  EXPECT_THAT(Integers(Ranks(Values())), ElementsAre(2, 5, 4, 0, 3, 6, 1));
}

TEST(RankingTest, TheLargestAreTakenWithoutNaN) {
  EXPECT_THAT(Integers(LargestIndices(Values(), 3)), ElementsAre(3, 6, 0));
  EXPECT_THAT(Integers(LargestIndices(Values(), 100)), ElementsAre(3, 6, 0, 4, 2));
  EXPECT_THAT(Integers(LargestIndices(at::tensor({NAN}, at::kDouble), 1)), IsEmpty());
}

TEST(RankingTest, NothingIsInOrder) {
  const at::Tensor none = at::empty({0}, at::kDouble);
  EXPECT_EQ(DescendingOrder(none).numel(), 0);
  EXPECT_EQ(Ranks(none).numel(), 0);
}

}  // namespace
}  // namespace superpose
