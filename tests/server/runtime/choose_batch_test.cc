#include "server/runtime/choose_batch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

namespace superpose {
namespace {

using testing::ElementsAre;

BatchItem Item(int64_t tokens, const std::string& key = "tiny") { return {.key = key, .tokens = tokens}; }

std::vector<const BatchItem*> Pointers(const std::vector<BatchItem>& items) {
  std::vector<const BatchItem*> pointers;
  for (const BatchItem& item : items) pointers.push_back(&item);
  return pointers;
}

std::vector<size_t> Choose(const std::vector<BatchItem>& items, const BatchLimits& limits = {}) {
  return ChooseBatch(Pointers(items), limits);
}

bool IsWorth(const std::vector<BatchItem>& items, const Crowd& crowd, const BatchLimits& limits = {}) {
  return IsWorthWaiting(Pointers(items), crowd, limits);
}

TEST(ChooseBatchTest, OneThatWaitsAloneRunsAlone) { EXPECT_THAT(Choose({Item(10)}), ElementsAre(0)); }

TEST(ChooseBatchTest, ThoseOfTheFirstsKeyJoinItAndOthersStay) {
  EXPECT_THAT(Choose({Item(10), Item(10, "other"), Item(12), Item(9, ""), Item(8)}), ElementsAre(0, 2, 4));
}

TEST(ChooseBatchTest, WhatHasNoKeyRunsAlone) { EXPECT_THAT(Choose({Item(10, ""), Item(10, "")}), ElementsAre(0)); }

TEST(ChooseBatchTest, AtMostSoManyRequestsRunTogether) {
  EXPECT_THAT(Choose(std::vector<BatchItem>(5, Item(4)), {.max_requests = 3}), ElementsAre(0, 1, 2));
  EXPECT_THAT(Choose(std::vector<BatchItem>(5, Item(4)), {.max_requests = 1}), ElementsAre(0));
}

TEST(ChooseBatchTest, AtMostSoManyTokensRunTogetherAndAShorterOneMayStillFit) {
  EXPECT_THAT(Choose({Item(100), Item(90), Item(80)}, {.max_tokens = 269}), ElementsAre(0, 1));
  EXPECT_THAT(Choose({Item(100), Item(90), Item(80)}, {.max_tokens = 270}), ElementsAre(0, 1, 2));
  EXPECT_THAT(Choose({Item(100), Item(90), Item(80), Item(7)}, {.max_tokens = 200}), ElementsAre(0, 1, 3));
}

TEST(ChooseBatchTest, TheFirstRunsEvenIfItIsTooLarge) {
  EXPECT_THAT(Choose({Item(500), Item(500)}, {.max_tokens = 100}), ElementsAre(0));
}

TEST(ChooseBatchTest, OneThatIsMuchLongerThanTheFirstDoesNotJoinIt) {
  EXPECT_THAT(Choose({Item(100), Item(201), Item(200)}), ElementsAre(0, 2));
  EXPECT_THAT(Choose({Item(5), Item(129), Item(128)}), ElementsAre(0, 2)) << "short ones are all alike";
}

TEST(ChooseBatchTest, AShortOneJoinsALongOne) { EXPECT_THAT(Choose({Item(500), Item(3)}), ElementsAre(0, 1)); }

TEST(ChooseBatchTest, TokensAddUp) { EXPECT_EQ(TokensOf(Pointers({Item(7), Item(30)})), 37); }

TEST(ChooseBatchTest, NoBatchBreaksTheLimitsAndTheFirstIsAlwaysInIt) {
  std::mt19937 random(static_cast<unsigned>(testing::UnitTest::GetInstance()->random_seed()));
  const BatchLimits limits{.max_requests = 6, .max_tokens = 512};
  for (int round = 0; round < 500; ++round) {
    std::vector<BatchItem> items(1 + random() % 20);
    for (BatchItem& item : items) item = Item(1 + random() % 300, random() % 3 == 0 ? "other" : "tiny");
    const std::vector<size_t> chosen = Choose(items, limits);
    ASSERT_EQ(chosen.front(), 0U);
    ASSERT_LE(chosen.size(), 6U);
    std::vector<BatchItem> batch;
    for (const size_t index : chosen) batch.push_back(items[index]);
    for (const BatchItem& item : batch) ASSERT_EQ(item.key, items.front().key);
    ASSERT_LE(TokensOf(Pointers(batch)), 512);
    ASSERT_TRUE(std::is_sorted(chosen.begin(), chosen.end()));
  }
}

TEST(IsWorthWaitingTest, UntilAsManyWaitAsCameLately) {
  const Crowd crowd{.key = "tiny", .requests = 3, .until = absl::InfiniteFuture()};
  EXPECT_TRUE(IsWorth({Item(10)}, crowd));
  EXPECT_TRUE(IsWorth({Item(10), Item(10)}, crowd));
  EXPECT_FALSE(IsWorth({Item(10), Item(10), Item(10)}, crowd));
}

TEST(IsWorthWaitingTest, NotWhereNothingWaitsOrNobodyElseCame) {
  EXPECT_FALSE(IsWorth({}, {.key = "tiny", .requests = 3}));
  EXPECT_FALSE(IsWorth({Item(10)}, {.key = "tiny", .requests = 1}));
  EXPECT_FALSE(IsWorth({Item(10)}, {}));
}

TEST(IsWorthWaitingTest, NotWhileSomethingElseWaits) {
  const Crowd crowd{.key = "tiny", .requests = 4};
  EXPECT_FALSE(IsWorth({Item(10), Item(10, "other")}, crowd));
  EXPECT_FALSE(IsWorth({Item(10, "")}, {.key = "", .requests = 4}));
}

TEST(IsWorthWaitingTest, NotWhereAnotherWouldFindNoRoom) {
  const Crowd crowd{.key = "tiny", .requests = 4};
  EXPECT_TRUE(IsWorth({Item(100)}, crowd, {.max_tokens = 200}));
  EXPECT_FALSE(IsWorth({Item(100)}, crowd, {.max_tokens = 199}));
  EXPECT_FALSE(IsWorth({Item(10)}, crowd, {.max_requests = 1}));
}

}  // namespace
}  // namespace superpose
