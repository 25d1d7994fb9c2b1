#include "server/runtime/device_executor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "lib/base/error.h"
#include "server/runtime/reasons.h"
#include "tests/server/runtime/fake_clock.h"
#include "tests/status_matchers.h"

namespace superpose {
namespace {

using testing::ElementsAre;
using testing::Lt;

auto IsShuttingDown() { return IsError(absl::StatusCode::kUnavailable, reason::kShuttingDown); }

// Work whose slices a test writes.
class Slices final : public SlicedWork {
 public:
  explicit Slices(std::function<bool(const Budget& budget)> run) : run_(std::move(run)) {}
  bool RunSlice(const Budget& budget) override { return run_(budget); }

 private:
  const std::function<bool(const Budget& budget)> run_;
};

std::shared_ptr<SlicedWork> Work(std::function<bool(const Budget& budget)> run) {
  return std::make_shared<Slices>(std::move(run));
}

void UntilExhausted(const Budget& budget) {
  while (!budget.Exhausted()) std::this_thread::yield();
}

// What became of a request.
struct Answer {
  absl::Status admitted;
  Notification done;

  DeviceRequest Request() {
    DeviceRequest request;
    request.run = [this](const absl::Status& status) {
      admitted = status;
      done.Notify();
    };
    return request;
  }
  const absl::Status& Wait() {
    done.Wait();
    return admitted;
  }
};

class DeviceExecutorTest : public testing::Test {
 protected:
  ~DeviceExecutorTest() override { Release(); }

  // Keeps the device busy, so that requests wait, until Release().
  void Hold() {
    Notification held;
    DeviceRequest request;
    request.run = [&held, this](const absl::Status&) {
      held.Notify();
      release_.Wait();
    };
    ASSERT_OK(executor_.Submit(std::move(request)));
    held.Wait();
  }
  void Release() { release_.Notify(); }

  // Returns when Stop() has been called.
  void AwaitStop() {
    DeviceRequest probe;
    probe.run = [](const absl::Status&) {};
    probe.continues = true;
    while (executor_.Submit(probe).ok()) std::this_thread::yield();
  }

  FakeClock clock_;
  Metrics metrics_;
  Notification release_;
  DeviceExecutor executor_{
      {.threads = 1, .slice = absl::Milliseconds(50), .max_waiting_requests = 2}, &clock_, &metrics_};
};

TEST_F(DeviceExecutorTest, RunAndWaitReturnsWhatTheBodyReturnedOnTheDevicesThread) {
  std::thread::id thread;
  const absl::Status status = executor_.RunAndWait([&] {
    thread = std::this_thread::get_id();
    return absl::DataLossError("body");
  });
  EXPECT_EQ(status, absl::DataLossError("body"));
  EXPECT_NE(thread, std::this_thread::get_id());
}

TEST_F(DeviceExecutorTest, RequestsRunInTheOrderInWhichTheyCame) {
  std::vector<int> order;
  Hold();
  Answer last;
  DeviceRequest first;
  first.run = [&](const absl::Status&) { order.push_back(1); };
  DeviceRequest second;
  second.run = [&](const absl::Status&) {
    order.push_back(2);
    last.done.Notify();
  };
  ASSERT_OK(executor_.Submit(std::move(first)));
  ASSERT_OK(executor_.Submit(std::move(second)));
  Release();
  last.Wait();
  EXPECT_THAT(order, ElementsAre(1, 2));
}

TEST_F(DeviceExecutorTest, ARequestWhoseDeadlinePassesInTheQueueIsNotRun) {
  Hold();
  Answer late;
  Answer in_time;
  DeviceRequest request = late.Request();
  request.deadline = clock_.Now() + absl::Seconds(1);
  ASSERT_OK(executor_.Submit(std::move(request)));
  request = in_time.Request();
  request.deadline = clock_.Now() + absl::Seconds(2);
  ASSERT_OK(executor_.Submit(std::move(request)));
  clock_.Advance(absl::Seconds(1));
  Release();
  EXPECT_THAT(late.Wait(), IsError(absl::StatusCode::kDeadlineExceeded, reason::kDeadlinePassed));
  EXPECT_OK(in_time.Wait());
}

TEST_F(DeviceExecutorTest, ARequestThatIsCancelledInTheQueueIsNotRun) {
  Hold();
  std::atomic<bool> cancelled = false;
  Answer answer;
  DeviceRequest request = answer.Request();
  request.is_cancelled = [&] { return cancelled.load(); };
  ASSERT_OK(executor_.Submit(std::move(request)));
  cancelled = true;
  Release();
  EXPECT_EQ(answer.Wait().code(), absl::StatusCode::kCancelled);
}

// gRPC cancels a call whose deadline has passed: what its caller must be told is the deadline.
TEST_F(DeviceExecutorTest, ADeadlineThatPassedIsToldBeforeTheCancelThatFollowsIt) {
  Hold();
  Answer answer;
  DeviceRequest request = answer.Request();
  request.deadline = clock_.Now() + absl::Seconds(1);
  request.is_cancelled = [] { return true; };
  ASSERT_OK(executor_.Submit(std::move(request)));
  clock_.Advance(absl::Seconds(1));
  Release();
  EXPECT_THAT(answer.Wait(), IsError(absl::StatusCode::kDeadlineExceeded, reason::kDeadlinePassed));
}

TEST_F(DeviceExecutorTest, AFullQueueRefusesAllButWhatContinues) {
  Hold();
  Answer first;
  Answer second;
  Answer continued;
  ASSERT_OK(executor_.Submit(first.Request()));
  ASSERT_OK(executor_.Submit(second.Request()));
  DeviceRequest refused;
  refused.run = [](const absl::Status&) { ADD_FAILURE() << "a refused request was run"; };
  EXPECT_THAT(executor_.Submit(std::move(refused)), IsError(absl::StatusCode::kResourceExhausted, reason::kQueueFull));
  DeviceRequest part = continued.Request();
  part.continues = true;
  ASSERT_OK(executor_.Submit(std::move(part)));
  Release();
  EXPECT_OK(first.Wait());
  EXPECT_OK(second.Wait());
  EXPECT_OK(continued.Wait());
  Answer later;
  EXPECT_OK(executor_.Submit(later.Request())) << "there is room again";
  EXPECT_OK(later.Wait());
}

TEST_F(DeviceExecutorTest, ASliceLastsAsLongAsTheOptionsSay) {
  std::vector<int> units;
  Notification done;
  executor_.AddWork("ada", Work([&](const Budget& budget) {
                      units.push_back(0);
                      do {
                        clock_.Advance(absl::Milliseconds(10));
                        ++units.back();
                      } while (!budget.Exhausted());
                      if (units.size() == 2) done.Notify();
                      return units.size() < 2;
                    }));
  done.Wait();
  executor_.Stop();
  EXPECT_THAT(units, ElementsAre(5, 5));
}

TEST_F(DeviceExecutorTest, ARequestEndsTheSliceAndIsAnsweredWithinTwo) {
  Notification started;
  std::atomic<bool> ending = false;
  executor_.AddWork("ada", Work([&](const Budget& budget) {
                      if (!started.HasBeenNotified()) started.Notify();
                      UntilExhausted(budget);  // the clock stands still: only a request ends it
                      return !ending;
                    }));
  started.Wait();
  for (int i = 0; i < 20; ++i) {
    const int64_t before = executor_.slices_run();
    int64_t at_answer = 0;
    ASSERT_OK(executor_.RunAndWait([&] {
      at_answer = executor_.slices_run();
      return absl::OkStatus();
    }));
    EXPECT_LE(at_answer - before, 2);
  }
  ending = true;
  executor_.Stop();
}

TEST_F(DeviceExecutorTest, ARequestThatAlwaysContinuesLeavesJobsTheirTurns) {
  std::vector<int64_t> slices;
  Answer answer;
  std::function<void(const absl::Status&)> part = [&](const absl::Status&) {
    slices.push_back(executor_.slices_run());
    if (slices.size() == 5) return answer.done.Notify();
    DeviceRequest next;
    next.run = part;
    next.continues = true;
    EXPECT_OK(executor_.Submit(std::move(next)));
  };
  executor_.AddWork("ada", Work([&](const Budget& budget) {
                      UntilExhausted(budget);
                      return !answer.done.HasBeenNotified();
                    }));
  DeviceRequest first;
  first.run = part;
  ASSERT_OK(executor_.Submit(std::move(first)));
  answer.Wait();
  executor_.Stop();
  for (size_t i = 1; i < slices.size(); ++i) EXPECT_THAT(slices[i - 1], Lt(slices[i]));
}

TEST_F(DeviceExecutorTest, TurnsGoAroundUsers) {
  std::vector<std::string> order;
  Notification done;
  const auto twice = [&](const std::string& name) {
    return Work([&, name, turns = 0](const Budget&) mutable {
      order.push_back(name);
      if (order.size() == 6) done.Notify();
      return ++turns < 2;
    });
  };
  Hold();
  executor_.AddWork("ada", twice("a1"));
  executor_.AddWork("ada", twice("a2"));
  executor_.AddWork("bob", twice("b1"));
  Release();
  done.Wait();
  executor_.Stop();
  EXPECT_THAT(order, ElementsAre("a1", "b1", "a2", "b1", "a1", "a2"));
}

TEST_F(DeviceExecutorTest, WorkThatEndsItsTurnsStandsStillUntilItIsAddedAgain) {
  std::atomic<int> slices = 0;
  Notification first;
  Notification second;
  const auto work = Work([&](const Budget&) {
    (++slices == 1 ? first : second).Notify();
    return false;
  });
  executor_.AddWork("ada", work);
  first.Wait();
  for (int i = 0; i < 3; ++i) ASSERT_OK(executor_.RunAndWait([] { return absl::OkStatus(); }));
  EXPECT_EQ(slices, 1);
  executor_.AddWork("ada", work);
  second.Wait();
  executor_.Stop();
  EXPECT_EQ(slices, 2);
}

TEST_F(DeviceExecutorTest, StopEndsASliceUnderWayAndLetsGoOfItsWork) {
  Notification started;
  std::atomic<bool> ended = false;
  auto work = Work([&](const Budget& budget) {
    started.Notify();
    UntilExhausted(budget);
    ended = true;
    return true;
  });
  const std::weak_ptr<SlicedWork> watched = work;
  executor_.AddWork("ada", std::move(work));
  started.Wait();
  executor_.Stop();
  EXPECT_TRUE(ended);
  EXPECT_TRUE(watched.expired());
  EXPECT_EQ(executor_.slices_run(), 1);
}

TEST_F(DeviceExecutorTest, StopTurnsAwayWhatWaitsBehindTheRequestUnderWay) {
  Hold();
  Answer waiting;
  Notification under_way;
  DeviceRequest request;
  request.run = [&](const absl::Status&) {
    under_way.Notify();
    AwaitStop();
  };
  ASSERT_OK(executor_.Submit(std::move(request)));
  ASSERT_OK(executor_.Submit(waiting.Request()));
  Release();
  under_way.Wait();
  executor_.Stop();
  EXPECT_THAT(waiting.Wait(), IsShuttingDown());
}

TEST_F(DeviceExecutorTest, AfterStopAdmittingWhatWasLetInAndWorkGoOn) {
  Hold();
  Answer waiting;
  ASSERT_OK(executor_.Submit(waiting.Request()));
  executor_.StopAdmitting();
  Answer late;
  EXPECT_THAT(executor_.Submit(late.Request()), IsShuttingDown());
  Answer part;
  DeviceRequest next_part = part.Request();
  next_part.continues = true;
  EXPECT_OK(executor_.Submit(std::move(next_part)));
  Notification worked;
  executor_.AddWork("ann", Work([&](const Budget&) {
                      worked.Notify();
                      return false;
                    }));
  Release();
  EXPECT_OK(waiting.Wait());
  EXPECT_OK(part.Wait());
  worked.Wait();
}

TEST_F(DeviceExecutorTest, AfterStopNothingIsTaken) {
  executor_.Stop();
  DeviceRequest request;
  request.run = [](const absl::Status&) { ADD_FAILURE() << "a refused request was run"; };
  EXPECT_THAT(executor_.Submit(std::move(request)), IsShuttingDown());
  EXPECT_THAT(executor_.RunAndWait([] { return absl::OkStatus(); }), IsShuttingDown());
  auto work = Work([](const Budget&) { return true; });
  const std::weak_ptr<SlicedWork> watched = work;
  executor_.AddWork("ada", std::move(work));
  EXPECT_TRUE(watched.expired());
  executor_.Stop();
}

TEST_F(DeviceExecutorTest, WorkThatGoesMayCallTheExecutor) {
  std::vector<std::string> refusals;
  const auto last_words = [&](const std::string* word) {
    const absl::Status status = executor_.RunAndWait([] { return absl::OkStatus(); });
    refusals.push_back(*word + " " + ReasonOf(status));
    delete word;
  };
  std::shared_ptr<const std::string> word(new std::string("gone"), last_words);
  Hold();
  executor_.AddWork("ada", Work([word = std::move(word)](const Budget&) { return true; }));
  DeviceRequest until_stop;
  until_stop.run = [this](const absl::Status&) { AwaitStop(); };
  ASSERT_OK(executor_.Submit(std::move(until_stop)));
  Release();
  executor_.Stop();
  EXPECT_THAT(refusals, ElementsAre("gone SHUTTING_DOWN"));
}

TEST_F(DeviceExecutorTest, TheQueueDepthIsMeasured) {
  Hold();
  Answer answer;
  ASSERT_OK(executor_.Submit(answer.Request()));
  EXPECT_THAT(metrics_.Text(), testing::HasSubstr("superpose_device_queue_depth 1"));
  Release();
  ASSERT_OK(answer.Wait());
  EXPECT_THAT(metrics_.Text(), testing::HasSubstr("superpose_device_queue_depth 0"));
}

}  // namespace
}  // namespace superpose
