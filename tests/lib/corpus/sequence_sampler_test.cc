#include <algorithm>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "lib/corpus/corpus.h"

namespace superpose {
namespace {

TEST(SequenceSamplerTest, SequentialStartsAgainAfterTheEnd) {
  SequenceSampler sampler(3, SequenceOrder::kSequential, 0);
  EXPECT_THAT(sampler.Next(5), testing::ElementsAre(0, 1, 2, 0, 1));
}

TEST(SequenceSamplerTest, EveryPassIsAnotherPermutation) {
  SequenceSampler sampler(100, SequenceOrder::kShuffled, 7);
  std::vector<int64_t> first = sampler.Next(100), second = sampler.Next(100);
  EXPECT_NE(first, second);
  EXPECT_TRUE(std::is_permutation(first.begin(), first.end(), second.begin()));
  std::sort(first.begin(), first.end());
  EXPECT_EQ(std::adjacent_find(first.begin(), first.end()), first.end());
}

TEST(SequenceSamplerTest, SeekGoesOnWhereARunWas) {
  SequenceSampler run(10, SequenceOrder::kShuffled, 3), resumed(10, SequenceOrder::kShuffled, 3);
  run.Next(13);
  resumed.Seek(13);
  EXPECT_EQ(run.Next(20), resumed.Next(20));
}

}  // namespace
}  // namespace superpose
