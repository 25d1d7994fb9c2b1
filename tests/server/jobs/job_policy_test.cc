#include "server/jobs/job_policy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"

namespace superpose {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr v1::JobState kQueued = v1::JOB_STATE_QUEUED;
constexpr v1::JobState kRunning = v1::JOB_STATE_RUNNING;

struct Case {
  std::string name;
  std::vector<ActiveJob> active;
  JobCaps caps;
  std::optional<std::string> next;
};

void PrintTo(const Case& given, std::ostream* out) { *out << given.name; }

class PickNextJobTest : public testing::TestWithParam<Case> {};

TEST_P(PickNextJobTest, Picks) { EXPECT_EQ(PickNextJob(GetParam().active, GetParam().caps), GetParam().next); }

// Name, owner, priority, state, sequence.
INSTANTIATE_TEST_SUITE_P(
    Jobs, PickNextJobTest,
    testing::Values(
        Case{"NothingOfNothing", {}, {}, std::nullopt},
        Case{"NothingWhenAllRun", {{"a1", "ada", 0, kRunning, 1}}, {}, std::nullopt},
        Case{"AQuestionWhileTheUsersJobsFillTheCaps",
             {{"a1", "ada", 0, kRunning, 1}, {"b1", "bob", 0, kRunning, 2}, {"a2", "ada", 0, kQueued, 3, true}},
             {},
             "a2"},
        Case{"AQuestionBeforeAJobOfHigherPriority",
             {{"a1", "ada", 9, kQueued, 1}, {"a2", "ada", 0, kQueued, 2, true}},
             {},
             "a2"},
        Case{"NoSecondQuestionOfAUser",
             {{"a1", "ada", 0, kRunning, 1, true}, {"a2", "ada", 0, kQueued, 2, true}},
             {},
             std::nullopt},
        Case{"AJobWhileAQuestionRuns", {{"a1", "ada", 0, kRunning, 1, true}, {"a2", "ada", 0, kQueued, 2}}, {}, "a2"},
        Case{"TheOnlyOne", {{"a1", "ada", 0, kQueued, 1}}, {}, "a1"},
        Case{"TheOneThatWaitsLongest",
             {{"b1", "bob", 0, kQueued, 2}, {"a1", "ada", 0, kQueued, 3}, {"c1", "cyd", 0, kQueued, 1}},
             {},
             "c1"},
        Case{"OfAUserTheHighestPriority",
             {{"a1", "ada", 0, kQueued, 1}, {"a2", "ada", 5, kQueued, 2}, {"a3", "ada", 5, kQueued, 3}},
             {},
             "a2"},
        Case{"NegativePrioritiesGoLast", {{"a1", "ada", -1, kQueued, 1}, {"a2", "ada", 0, kQueued, 2}}, {}, "a2"},
        Case{"TheLeastPriorityThereIsGoesLast",
             {{"a1", "ada", std::numeric_limits<int32_t>::min(), kQueued, 1},
              {"a2", "ada", std::numeric_limits<int32_t>::max(), kQueued, 2}},
             {},
             "a2"},
        Case{"PriorityIsWithinAUserOnly", {{"a1", "ada", 0, kQueued, 1}, {"b1", "bob", 9, kQueued, 2}}, {}, "a1"},
        Case{"TheUserWithFewerRunningJobs",
             {{"a1", "ada", 0, kRunning, 1}, {"a2", "ada", 0, kQueued, 2}, {"b1", "bob", 0, kQueued, 3}},
             {9, 9},
             "b1"},
        Case{"NobodyBeyondTheCap",
             {{"a1", "ada", 0, kRunning, 1}, {"b1", "bob", 0, kRunning, 2}, {"c1", "cyd", 0, kQueued, 3}},
             {2, 1},
             std::nullopt},
        Case{"NoUserBeyondTheirCap",
             {{"a1", "ada", 0, kRunning, 1}, {"a2", "ada", 9, kQueued, 2}},
             {2, 1},
             std::nullopt},
        Case{"PastAUserAtTheirCap",
             {{"a1", "ada", 0, kRunning, 1}, {"a2", "ada", 0, kQueued, 2}, {"b1", "bob", 0, kQueued, 3}},
             {2, 1},
             "b1"},
        Case{
            "ASecondOfAUserWhoMayHaveTwo", {{"a1", "ada", 0, kRunning, 1}, {"a2", "ada", 0, kQueued, 2}}, {2, 2}, "a2"},
        Case{"NothingWhenNoneMayRun", {{"a1", "ada", 0, kQueued, 1}}, {0, 1}, std::nullopt}),
    [](const auto& info) { return info.param.name; });

TEST(QueueOrderTest, IsEmptyWithoutQueuedJobs) {
  EXPECT_THAT(QueueOrder({}), IsEmpty());
  EXPECT_THAT(QueueOrder({{"a1", "ada", 0, kRunning, 1}}), IsEmpty());
}

TEST(QueueOrderTest, GoesAroundUsersWithoutRegardToCaps) {
  EXPECT_THAT(QueueOrder({{"a1", "ada", 0, kQueued, 1},
                          {"a2", "ada", 0, kQueued, 2},
                          {"a3", "ada", 1, kQueued, 3},
                          {"b1", "bob", 0, kQueued, 4},
                          {"b2", "bob", 0, kQueued, 5}}),
              ElementsAre("a3", "b1", "a1", "b2", "a2"));
}

// What the order is defined by.
std::vector<std::string> PickOneByOne(std::vector<ActiveJob> active) {
  constexpr int kNoCap = std::numeric_limits<int>::max();
  std::vector<std::string> order;
  while (const auto next = PickNextJob(active, {kNoCap, kNoCap})) {
    order.push_back(*next);
    for (ActiveJob& job : active) {
      if (job.name == *next) job.state = kRunning;
    }
  }
  return order;
}

TEST(QueueOrderTest, IsThatOfPickingOneByOne) {
  std::vector<ActiveJob> active;
  uint32_t state = 7;
  for (int i = 0; i < 200; ++i) {
    state = state * 1664525 + 1013904223;
    const std::string owner(1, static_cast<char>('a' + (state >> 24) % 7));
    active.push_back({absl::StrCat("job", i), owner, static_cast<int32_t>((state >> 16) % 3) - 1,
                      (state >> 8) % 8 == 0 ? kRunning : kQueued, i});
  }
  EXPECT_EQ(QueueOrder(active), PickOneByOne(active));
}

TEST(QueueOrderTest, AHundredThousandJobsAreOrderedWithoutAWait) {
  std::vector<ActiveJob> active;
  for (int i = 0; i < 100'000; ++i) active.push_back({absl::StrCat(i), absl::StrCat("user", i % 10), 0, kQueued, i});
  const std::vector<std::string> order = QueueOrder(active);
  ASSERT_EQ(order.size(), 100'000u);
  EXPECT_EQ(order.front(), "0");
  EXPECT_EQ(order.back(), "99999");
}

TEST(QueueOrderTest, AUserWithRunningJobsWaitsForThoseWithout) {
  EXPECT_THAT(QueueOrder({{"a1", "ada", 0, kRunning, 1},
                          {"a2", "ada", 0, kQueued, 2},
                          {"b1", "bob", 0, kQueued, 3},
                          {"b2", "bob", 0, kQueued, 4}}),
              ElementsAre("b1", "a2", "b2"));
}

}  // namespace
}  // namespace superpose
