// Requests that run together.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "lib/base/error.h"
#include "server/runtime/batchable_work.h"
#include "server/runtime/device_executor.h"
#include "server/runtime/reasons.h"
#include "tests/server/runtime/fake_clock.h"
#include "tests/status_matchers.h"

namespace superpose {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class DeviceBatchesTest;

// A request that says how it was run, and whose batches a test writes.
class Caller final : public BatchableWork {
 public:
  Caller(DeviceBatchesTest* test, std::string name, BatchItem item)
      : test_(test), name_(std::move(name)), item_(std::move(item)) {}

  const BatchItem& batch_item() const override { return item_; }
  absl::Status RunTogether(absl::Span<BatchableWork* const> works) override;
  void Run(const absl::Status& status);

  const std::string& name() const { return name_; }
  const absl::Status& Wait() const {
    done_.Wait();
    return admitted_;
  }

  absl::Time deadline = absl::InfiniteFuture();
  std::atomic<bool> cancelled = false;
  const std::shared_ptr<DeviceShare> share = std::make_shared<DeviceShare>();

 private:
  DeviceBatchesTest* const test_;
  const std::string name_;
  const BatchItem item_;
  absl::Status admitted_;
  Notification done_;
};

class DeviceBatchesTest : public testing::Test {
 protected:
  friend class Caller;
  static constexpr absl::Duration kForward = absl::Milliseconds(20);

  DeviceBatchesTest() { Start({}); }
  ~DeviceBatchesTest() override { Release(); }

  void Start(const BatchLimits& limits) {
    executor_ = std::make_unique<DeviceExecutor>(
        DeviceExecutor::Options{.threads = 1, .max_waiting_requests = 8, .batch = limits}, &clock_, &metrics_);
  }

  std::shared_ptr<Caller> Make(const std::string& name, const std::string& key = "tiny") {
    return std::make_shared<Caller>(this, name, BatchItem{.key = key, .tokens = 10});
  }
  void Submit(const std::shared_ptr<Caller>& caller) {
    DeviceRequest request;
    request.run = [caller](const absl::Status& status) { caller->Run(status); };
    request.deadline = caller->deadline;
    request.is_cancelled = [caller] { return caller->cancelled.load(); };
    request.work = caller;
    request.share = caller->share;
    ASSERT_OK(executor_->Submit(std::move(request)));
  }
  std::shared_ptr<Caller> Submit(const std::string& name, const std::string& key = "tiny") {
    auto caller = Make(name, key);
    Submit(caller);
    return caller;
  }

  // Keeps the device busy, so that requests wait, until Release().
  void Hold() {
    Notification held;
    DeviceRequest request;
    request.run = [&held, this](const absl::Status&) {
      held.Notify();
      release_.Wait();
    };
    ASSERT_OK(executor_->Submit(std::move(request)));
    held.Wait();
  }
  void Release() { release_.Notify(); }
  // Submits them while something else runs, and waits until each has run, well, and nothing runs any more.
  void RunHeldUp(const std::vector<const char*>& names) {
    Hold();
    std::vector<std::shared_ptr<Caller>> callers;
    for (const char* name : names) callers.push_back(Submit(name));
    Release();
    for (const auto& caller : callers) EXPECT_OK(caller->Wait());
    Settle();
  }
  // Nothing runs any more.
  void Settle() {
    EXPECT_OK(executor_->RunAndWait([] { return absl::OkStatus(); }));
  }

  FakeClock clock_;
  Metrics metrics_;
  Notification release_;
  // On the device's thread: what a batch says, by its size; and what ran, "a+b" together.
  std::function<absl::Status(size_t size)> together_ = [](size_t) { return absl::OkStatus(); };
  std::vector<std::string> ran_;
  std::vector<std::string> computed_;
  std::unique_ptr<DeviceExecutor> executor_;
};

absl::Status Caller::RunTogether(absl::Span<BatchableWork* const> works) {
  std::string names;
  for (BatchableWork* work : works) names += (names.empty() ? "" : "+") + static_cast<Caller*>(work)->name();
  EXPECT_EQ(works.front(), this);
  test_->ran_.push_back(names);
  test_->clock_.Advance(DeviceBatchesTest::kForward);
  return test_->together_(works.size());
}

void Caller::Run(const absl::Status& status) {
  admitted_ = status;
  test_->computed_.push_back(name_);
  share->EndPart(test_->clock_.Now());
  done_.Notify();
}

TEST_F(DeviceBatchesTest, ThoseThatWaitAtTheSameTimeRunTogether) {
  RunHeldUp({"a", "b", "c"});
  EXPECT_THAT(ran_, ElementsAre("a+b+c"));
  EXPECT_THAT(computed_, ElementsAre("a", "b", "c"));
  EXPECT_THAT(metrics_.Text(), HasSubstr("superpose_batch_requests_sum 3\n"));
  EXPECT_THAT(metrics_.Text(), HasSubstr("superpose_batch_tokens_sum 30\n"));
}

TEST_F(DeviceBatchesTest, OneThatFindsTheDeviceIdleRunsAlone) {
  EXPECT_OK(Submit("a")->Wait());
  EXPECT_OK(Submit("b")->Wait());
  Settle();
  EXPECT_TRUE(ran_.empty());
  EXPECT_THAT(computed_, ElementsAre("a", "b"));
  EXPECT_THAT(metrics_.Text(), HasSubstr("superpose_batch_requests_count 2\n"));
}

TEST_F(DeviceBatchesTest, OtherKeysRunByThemselves) {
  Hold();
  const auto a = Submit("a"), other = Submit("x", "other"), b = Submit("b"), alone = Submit("y", "");
  Release();
  for (const auto& caller : {a, other, b, alone}) EXPECT_OK(caller->Wait());
  Settle();
  EXPECT_THAT(ran_, ElementsAre("a+b"));
  EXPECT_THAT(computed_, ElementsAre("a", "b", "x", "y"));
}

TEST_F(DeviceBatchesTest, WhoseDeadlinePassedOrWhoWentAwayIsNotInTheBatch) {
  Hold();
  const auto late = Make("late");
  late->deadline = clock_.Now() + absl::Seconds(1);
  const auto a = Submit("a");
  Submit(late);
  const auto gone = Submit("gone"), b = Submit("b");
  gone->cancelled = true;
  clock_.Advance(absl::Seconds(1));
  Release();
  EXPECT_OK(a->Wait());
  EXPECT_OK(b->Wait());
  EXPECT_THAT(late->Wait(), IsError(absl::StatusCode::kDeadlineExceeded, reason::kDeadlinePassed));
  EXPECT_EQ(gone->Wait().code(), absl::StatusCode::kCancelled);
  Settle();
  EXPECT_THAT(ran_, ElementsAre("a+b"));
  EXPECT_EQ(late->share->queued, absl::Seconds(1));
}

TEST_F(DeviceBatchesTest, ABatchThatIsTooLargeForTheMemoryRunsByHalves) {
  together_ = [](size_t size) {
    return size > 2 ? ResourceExhausted(reason::kOutOfMemory, "too many") : absl::OkStatus();
  };
  RunHeldUp({"a", "b", "c", "d", "e"});
  EXPECT_THAT(ran_, ElementsAre("a+b+c+d+e", "a+b", "c+d"));
  EXPECT_THAT(computed_, ElementsAre("a", "b", "c", "d", "e"));
  EXPECT_THAT(metrics_.Text(), HasSubstr("superpose_split_batches_total 1\n"));
  EXPECT_THAT(metrics_.Text(), HasSubstr("superpose_batch_requests_count 3\n"));
}

TEST_F(DeviceBatchesTest, WhereNothingFitsTogetherEachRunsAlone) {
  together_ = [](size_t) { return ResourceExhausted(reason::kMemoryExceeded, "too many"); };
  RunHeldUp({"a", "b", "c", "d"});
  EXPECT_THAT(ran_, ElementsAre("a+b+c+d", "a+b", "c+d"));
  EXPECT_THAT(computed_, ElementsAre("a", "b", "c", "d"));
}

TEST_F(DeviceBatchesTest, WhereABatchFailsOtherwiseEachRunsAloneAtOnce) {
  together_ = [](size_t) { return InternalError(reason::kComputeFailed, "one of them is at fault"); };
  RunHeldUp({"a", "b", "c", "d"});
  EXPECT_THAT(ran_, ElementsAre("a+b+c+d"));
  EXPECT_THAT(computed_, ElementsAre("a", "b", "c", "d"));
}

TEST_F(DeviceBatchesTest, SharesSayWhatWasWaitedForAndWhatComputed) {
  Hold();
  const auto a = Submit("a");
  clock_.Advance(absl::Milliseconds(5));
  const auto b = Submit("b"), other = Submit("x", "other");
  clock_.Advance(absl::Milliseconds(2));
  Release();
  for (const auto& caller : {a, b, other}) EXPECT_OK(caller->Wait());
  EXPECT_EQ(a->share->queued, absl::Milliseconds(7));
  EXPECT_EQ(b->share->queued, absl::Milliseconds(2));
  EXPECT_EQ(other->share->queued, absl::Milliseconds(2) + kForward);
  EXPECT_EQ(a->share->computed, kForward);
  EXPECT_EQ(b->share->computed, kForward);
  EXPECT_EQ(other->share->computed, absl::ZeroDuration());
  EXPECT_EQ(a->share->batch_requests, 2);
  EXPECT_EQ(a->share->batch_tokens, 20);
  EXPECT_EQ(other->share->batch_requests, 1);
  Settle();
  EXPECT_THAT(metrics_.Text(), HasSubstr("superpose_device_queue_seconds_count 3\n"));
  EXPECT_THAT(metrics_.Text(), HasSubstr("superpose_device_compute_seconds_sum 0.04\n"));
}

TEST_F(DeviceBatchesTest, AfterABatchTheDeviceWaitsForItsCallersToComeAgain) {
  Hold();
  const auto a = Submit("a"), b = Submit("b");
  Release();
  EXPECT_OK(a->Wait());
  EXPECT_OK(b->Wait());
  const auto again = Submit("a2");
  const auto last = Submit("b2");
  EXPECT_OK(again->Wait());
  EXPECT_OK(last->Wait());
  Settle();
  EXPECT_THAT(ran_, ElementsAre("a+b", "a2+b2"));
}

TEST_F(DeviceBatchesTest, ThoseThatWaitedMeanwhileAreExpectedAgainToo) {
  Hold();
  const auto first = Make("a");
  std::shared_ptr<Caller> b;
  together_ = [&](size_t) {
    if (b == nullptr) b = Submit("b");
    clock_.Advance(absl::Milliseconds(1));
    return absl::OkStatus();
  };
  Submit(first);
  const auto second = Submit("a2");
  Release();
  EXPECT_OK(first->Wait());
  EXPECT_OK(second->Wait());
  const auto again = Submit("a3"), last = Submit("a4");
  EXPECT_OK(last->Wait());
  EXPECT_OK(b->Wait());
  Settle();
  EXPECT_THAT(ran_, ElementsAre("a+a2", "b+a3+a4"));
}

TEST_F(DeviceBatchesTest, ItDoesNotWaitLongerThanTheDelay) {
  Hold();
  const auto a = Submit("a"), b = Submit("b");
  Release();
  EXPECT_OK(a->Wait());
  EXPECT_OK(b->Wait());
  Settle();
  const auto again = Submit("a2");
  clock_.Advance(BatchLimits().max_delay);
  EXPECT_OK(again->Wait());
  EXPECT_OK(Submit("a3")->Wait()) << "the crowd is gone: not a moment's delay, for the clock stands still";
  Settle();
  EXPECT_THAT(ran_, ElementsAre("a+b"));
}

TEST_F(DeviceBatchesTest, ItWaitsForNobodyWhereTheDelayIsZero) {
  Start({.max_delay = absl::ZeroDuration()});
  Hold();
  const auto a = Submit("a"), b = Submit("b");
  Release();
  EXPECT_OK(a->Wait());
  EXPECT_OK(b->Wait());
  EXPECT_OK(Submit("a2")->Wait());
}

TEST_F(DeviceBatchesTest, ItWaitsForNobodyWhileAnotherRequestOrAJobWaits) {
  Hold();
  const auto a = Submit("a"), b = Submit("b");
  Release();
  EXPECT_OK(a->Wait());
  EXPECT_OK(b->Wait());
  const auto again = Submit("a2");
  Settle();
  EXPECT_OK(again->Wait());
}

TEST_F(DeviceBatchesTest, StopWaitsForNobodyAndTurnsThemAway) {
  Hold();
  const auto a = Submit("a"), b = Submit("b");
  Release();
  EXPECT_OK(a->Wait());
  EXPECT_OK(b->Wait());
  const auto again = Submit("a2");
  executor_->Stop();
  EXPECT_THAT(again->Wait(), IsError(absl::StatusCode::kUnavailable, reason::kShuttingDown));
}

}  // namespace
}  // namespace superpose
