#include "server/runtime/memory_budget.h"

#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "server/runtime/reasons.h"
#include "tests/status_matchers.h"

namespace superpose {
namespace {

constexpr int64_t kMiB = int64_t{1} << 20, kGiB = int64_t{1} << 30;
constexpr auto kExhausted = absl::StatusCode::kResourceExhausted;

TEST(MemoryBudgetTest, WhatIsReservedIsUsedUntilItsHolderGoes) {
  MemoryBudget budget(16 * kMiB);
  {
    ASSERT_OK_AND_ASSIGN(const MemoryReservation job, budget.Reserve(MemoryUse::kJob, 3 * kMiB, "a job"));
    EXPECT_EQ(job.bytes(), 3 * kMiB);
    EXPECT_EQ(budget.used_bytes(), 3 * kMiB);
  }
  EXPECT_EQ(budget.used_bytes(), 0);
}

TEST(MemoryBudgetTest, TheErrorHasTheFiguresAndWhatWouldFit) {
  MemoryBudget budget(16 * kMiB);
  ASSERT_OK_AND_ASSIGN(const MemoryReservation held, budget.Reserve(MemoryUse::kLoaded, 10 * kMiB, "a model"));
  const auto refused = budget.Reserve(MemoryUse::kJob, 8 * kMiB, "this training", "batch_size 3 would fit");
  EXPECT_THAT(refused, IsError(kExhausted, reason::kMemoryExceeded));
  EXPECT_EQ(
      refused.status().message(),
      "this training needs 8.0 MiB of memory, and 5.0 MiB of the server's 16.0 MiB can be had: batch_size 3 would "
      "fit");
  EXPECT_EQ(budget.used_bytes(), 10 * kMiB) << "nothing is reserved in part";
}

TEST(MemoryBudgetTest, JobsAndModelsLeaveASixteenthForRequests) {
  MemoryBudget budget(16 * kMiB);
  EXPECT_EQ(budget.Available(MemoryUse::kJob), 15 * kMiB);
  EXPECT_EQ(budget.Available(MemoryUse::kLoaded), 15 * kMiB);
  EXPECT_EQ(budget.Available(MemoryUse::kRequest), 16 * kMiB);
  ASSERT_OK_AND_ASSIGN(const MemoryReservation job, budget.Reserve(MemoryUse::kJob, 15 * kMiB, "a job"));
  EXPECT_EQ(budget.Available(MemoryUse::kJob), 0);
  EXPECT_OK(budget.Reserve(MemoryUse::kRequest, kMiB, "a call"));
}

TEST(MemoryBudgetTest, RequestsUseUpTheirOwnShareFirst) {
  MemoryBudget budget(16 * kMiB);
  ASSERT_OK_AND_ASSIGN(const MemoryReservation small, budget.Reserve(MemoryUse::kRequest, kMiB / 2, "a call"));
  EXPECT_EQ(budget.Available(MemoryUse::kJob), 15 * kMiB);
  ASSERT_OK_AND_ASSIGN(const MemoryReservation large, budget.Reserve(MemoryUse::kRequest, 4 * kMiB, "a call"));
  EXPECT_EQ(budget.Available(MemoryUse::kJob), 16 * kMiB - 4 * kMiB - kMiB / 2);
}

TEST(MemoryBudgetTest, TheShareOfRequestsIsAtMostAGibibyte) {
  EXPECT_EQ(MemoryBudget(64 * kGiB).Available(MemoryUse::kJob), 63 * kGiB);
}

TEST(MemoryBudgetTest, WhatCanEverFitDoesNotCountJobsAndRequests) {
  MemoryBudget budget(16 * kMiB);
  ASSERT_OK_AND_ASSIGN(const MemoryReservation model, budget.Reserve(MemoryUse::kLoaded, 5 * kMiB, "a model"));
  ASSERT_OK_AND_ASSIGN(const MemoryReservation job, budget.Reserve(MemoryUse::kJob, 9 * kMiB, "a job"));
  EXPECT_OK(budget.CheckCanEverFit(MemoryUse::kJob, 10 * kMiB, "a job"));
  EXPECT_THAT(budget.CheckCanEverFit(MemoryUse::kJob, 10 * kMiB + 1, "a job"),
              IsError(kExhausted, reason::kMemoryExceeded));
}

TEST(MemoryBudgetTest, AReservationShrinksAndNeverGrows) {
  MemoryBudget budget(16 * kMiB);
  ASSERT_OK_AND_ASSIGN(MemoryReservation load, budget.Reserve(MemoryUse::kLoaded, 8 * kMiB, "a model"));
  load.ShrinkTo(2 * kMiB);
  load.ShrinkTo(6 * kMiB);
  EXPECT_EQ(load.bytes(), 2 * kMiB);
  EXPECT_EQ(budget.used_bytes(), 2 * kMiB);
}

TEST(MemoryBudgetTest, AReservationGrowsAsFarAsThereIsRoom) {
  MemoryBudget budget(16 * kMiB);
  ASSERT_OK_AND_ASSIGN(MemoryReservation corpus, budget.Reserve(MemoryUse::kLoaded, 0, "a corpus"));
  EXPECT_OK(budget.GrowTo(10 * kMiB, &corpus, "a corpus"));
  EXPECT_OK(budget.GrowTo(4 * kMiB, &corpus, "a corpus")) << "no less than it has";
  EXPECT_EQ(budget.used_bytes(), 10 * kMiB);
  const absl::Status refused = budget.GrowTo(16 * kMiB, &corpus, "a corpus", "make it smaller");
  EXPECT_THAT(refused, IsError(kExhausted, reason::kMemoryExceeded));
  EXPECT_EQ(refused.message(),
            "a corpus needs 16.0 MiB of memory, and 15.0 MiB of the server's 16.0 MiB can be had: make it smaller");
  EXPECT_EQ(corpus.bytes(), 10 * kMiB);
  EXPECT_EQ(budget.used_bytes(), 10 * kMiB);
}

TEST(MemoryBudgetTest, PartsOfAReservationAreGivenBackOneByOne) {
  MemoryBudget budget(16 * kMiB);
  ASSERT_OK_AND_ASSIGN(MemoryReservation all, budget.Reserve(MemoryUse::kRequest, 5 * kMiB, "tensors"));
  MemoryReservation first = all.Split(2 * kMiB);
  EXPECT_EQ(all.bytes(), 3 * kMiB);
  EXPECT_EQ(budget.used_bytes(), 5 * kMiB);
  first = MemoryReservation();
  EXPECT_EQ(budget.used_bytes(), 3 * kMiB);
  EXPECT_EQ(all.Split(9 * kMiB).bytes(), 3 * kMiB) << "no more than it has";
  EXPECT_EQ(budget.used_bytes(), 0);
}

// What is cached, a MiB each; some of it is in use.
class CachingBudgetTest : public testing::Test {
 protected:
  CachingBudgetTest() {
    budget_.SetCache([this] {
      if (entries_.empty()) return false;
      entries_.pop_back();
      return true;
    });
  }
  void Cache(int count) {
    for (int i = 0; i < count; ++i) {
      auto memory = budget_.Reserve(MemoryUse::kCache, kMiB, "an entry");
      ASSERT_OK(memory);
      entries_.push_back(*std::move(memory));
    }
  }

  MemoryBudget budget_{16 * kMiB};
  std::vector<MemoryReservation> entries_;
};

TEST_F(CachingBudgetTest, TheCacheMakesRoomBeforeAnythingIsRefused) {
  Cache(6);
  EXPECT_EQ(budget_.used_bytes(), 6 * kMiB);
  EXPECT_EQ(budget_.Available(MemoryUse::kJob), 15 * kMiB) << "as if nothing was cached";
  ASSERT_OK_AND_ASSIGN(const MemoryReservation job, budget_.Reserve(MemoryUse::kJob, 12 * kMiB, "a job"));
  EXPECT_EQ(entries_.size(), 3U) << "no more goes than must";
  ASSERT_OK_AND_ASSIGN(const MemoryReservation call, budget_.Reserve(MemoryUse::kRequest, 4 * kMiB, "a call"));
  EXPECT_TRUE(entries_.empty());
}

TEST_F(CachingBudgetTest, NothingGoesForWhatWouldNotFitAllTheSame) {
  Cache(6);
  EXPECT_THAT(budget_.Reserve(MemoryUse::kRequest, 17 * kMiB, "a call"), IsError(kExhausted, reason::kMemoryExceeded));
  EXPECT_EQ(entries_.size(), 6U);
}

TEST_F(CachingBudgetTest, WhatIsCachedMakesRoomForOthersOfItsKind) {
  Cache(20);
  EXPECT_LE(entries_.size(), 16U);
  EXPECT_LE(budget_.used_bytes(), 16 * kMiB);
}

TEST_F(CachingBudgetTest, WhatIsInUseStaysAndIsCountedInTheRefusal) {
  Cache(6);
  const MemoryReservation in_use = std::move(entries_.back());
  entries_.pop_back();
  const auto refused = budget_.Reserve(MemoryUse::kRequest, 16 * kMiB, "a call");
  EXPECT_THAT(refused, IsError(kExhausted, reason::kMemoryExceeded));
  EXPECT_THAT(refused, MessageHas("15.0 MiB of the server's 16.0 MiB can be had"));
  EXPECT_TRUE(entries_.empty());
}

TEST_F(CachingBudgetTest, ACacheThatIsGoneIsNotAsked) {
  Cache(6);
  budget_.SetCache(nullptr);
  EXPECT_THAT(budget_.Reserve(MemoryUse::kRequest, 12 * kMiB, "a call"), IsError(kExhausted, reason::kMemoryExceeded));
  EXPECT_EQ(entries_.size(), 6U);
}

TEST(MemoryBudgetTest, AMovedReservationIsGivenBackOnce) {
  MemoryBudget budget(16 * kMiB);
  ASSERT_OK_AND_ASSIGN(MemoryReservation first, budget.Reserve(MemoryUse::kJob, kMiB, "a job"));
  ASSERT_OK_AND_ASSIGN(MemoryReservation second, budget.Reserve(MemoryUse::kJob, 2 * kMiB, "a job"));
  second = std::move(first);
  EXPECT_EQ(budget.used_bytes(), kMiB) << "what it held before is given back";
  second = MemoryReservation();
  EXPECT_EQ(budget.used_bytes(), 0);
}

TEST(MemoryBudgetTest, AReservationMayOutliveItsBudget) {
  auto budget = std::make_optional<MemoryBudget>(16 * kMiB);
  ASSERT_OK_AND_ASSIGN(const MemoryReservation job, budget->Reserve(MemoryUse::kJob, kMiB, "a job"));
  budget.reset();
  EXPECT_EQ(job.bytes(), kMiB);
}

TEST(MemoryBudgetTest, ThreadsNeverGetMoreThanThereIs) {
  MemoryBudget budget(16 * kMiB);
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&budget] {
      for (int i = 0; i < 1000; ++i) {
        const auto memory = budget.Reserve(MemoryUse::kRequest, 6 * kMiB, "a call");
        if (memory.ok()) EXPECT_LE(budget.used_bytes(), 16 * kMiB);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(budget.used_bytes(), 0);
}

TEST(LargestThatFitsTest, IsTheLastThatFits) {
  const auto needed = [](int64_t n) { return 100 + 10 * n; };
  EXPECT_EQ(LargestThatFits(32, 100 + 10 * 7, needed), 7);
  EXPECT_EQ(LargestThatFits(32, 100 + 10 * 7 + 9, needed), 7);
  EXPECT_EQ(LargestThatFits(32, 109, needed), 0) << "not even one";
  EXPECT_EQ(LargestThatFits(32, 1'000'000, needed), 32) << "all";
  EXPECT_EQ(LargestThatFits(1, 110, needed), 1);
}

TEST(BytesInWordsTest, HasOneDecimal) {
  EXPECT_EQ(BytesInWords(0), "0 B");
  EXPECT_EQ(BytesInWords(1023), "1023 B");
  EXPECT_EQ(BytesInWords(1536), "1.5 KiB");
  EXPECT_EQ(BytesInWords(3 * kGiB), "3.0 GiB");
  EXPECT_EQ(BytesInWords(5000 * 1024 * kGiB), "5000.0 TiB");
}

}  // namespace
}  // namespace superpose
