#include "lib/statistics/feature_blocks.h"

#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace superpose {
namespace {

std::vector<int64_t> EndsOf(const std::vector<int64_t>& splits, int64_t entries, int64_t features) {
  FeatureBlocks blocks(splits.data(), static_cast<int64_t>(splits.size()) - 1, entries, features);
  std::vector<int64_t> ends;
  while (!blocks.done()) ends.push_back(blocks.Next().end);
  return ends;
}

using testing::ElementsAre;

TEST(FeatureBlocks, EndWhereTheWorkIsDone) { EXPECT_THAT(EndsOf({0, 2, 4, 6, 8}, 4, 100), ElementsAre(2, 4)); }
TEST(FeatureBlocks, EndAfterSoManyFeatures) { EXPECT_THAT(EndsOf({0, 0, 0, 0, 1}, 9, 3), ElementsAre(3, 4)); }
TEST(FeatureBlocks, HaveAtLeastOneFeature) { EXPECT_THAT(EndsOf({0, 9, 18, 19, 20}, 2, 0), ElementsAre(1, 2, 3, 4)); }
TEST(FeatureBlocks, TakeAFeatureOfTooMuchWorkAlone) {
  EXPECT_THAT(EndsOf({0, 1, 10, 11, 12}, 2, 9), ElementsAre(1, 2, 4));
}

}  // namespace
}  // namespace superpose
