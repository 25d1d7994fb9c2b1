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
