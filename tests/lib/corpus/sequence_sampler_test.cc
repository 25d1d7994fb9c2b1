#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>
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

TEST(SequenceSamplerTest, SeekGoesToTheBoundaryOfAPass) {
  for (const int64_t taken : {0, 9, 10, 11, 20, 30}) {
    SequenceSampler run(10, SequenceOrder::kShuffled, 3), resumed(10, SequenceOrder::kShuffled, 3);
    run.Next(taken);
    resumed.Next(7);  // of another pass
    resumed.Seek(taken);
    EXPECT_EQ(resumed.sequences_taken(), taken);
    EXPECT_EQ(run.Next(11), resumed.Next(11)) << taken;
  }
}

TEST(SequenceSamplerTest, TheSeedDecidesTheOrder) {
  const auto order = [](uint64_t seed) { return SequenceSampler(100, SequenceOrder::kShuffled, seed).Next(100); };
  EXPECT_EQ(order(7), order(7));
  EXPECT_NE(order(7), order(8));
  EXPECT_NE(order(0), order(uint64_t{1} << 63));
}

// A job's numbers must not change with the standard library or the processor: permutations.json of tests/data/corpus,
// which make_permutations.py computes from the definitions.
TEST(SequenceSamplerTest, PermutationsAreThoseOfTheirDefinition) {
  std::ifstream file(SUPERPOSE_TEST_DATA "/corpus/permutations.json");
  const nlohmann::json cases = nlohmann::json::parse(file);
  ASSERT_EQ(cases.size(), 7U);
  for (const nlohmann::json& pinned : cases) {
    const int64_t count = pinned["count"];
    SequenceSampler sampler(count, SequenceOrder::kShuffled, pinned["seed"].get<uint64_t>());
    sampler.Seek(count * pinned["pass"].get<int64_t>());
    EXPECT_EQ(sampler.Next(count), pinned["order"].get<std::vector<int64_t>>()) << pinned;
  }
}

}  // namespace
}  // namespace superpose
