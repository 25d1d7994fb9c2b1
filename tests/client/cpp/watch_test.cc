#include <google/protobuf/util/message_differencer.h>

#include <future>

#include "lib/base/mutex.h"
#include "tests/client/tiny_server_test.h"

namespace superpose::client {
namespace {

using WatchTest = TinyServerTest;

// Waits for a job on a thread of its own and says when it has made its first progress, or when the wait is over.
class BackgroundWait {
 public:
  BackgroundWait(const Client& client, std::string job, const WatchOptions& options = {}) {
    auto on_change = [this](const v1::Job& now) {
      if (now.state() == v1::JOB_STATE_RUNNING && now.progress().done() > 0 && !progressed_.HasBeenNotified())
        progressed_.Notify();
    };
    result_ = std::async(std::launch::async, [this, client, job = std::move(job), options, on_change] {
      absl::StatusOr<v1::Job> end = client.WaitForJob(job, on_change, options);
      progressed_.Notify();
      return end;
    });
  }

  void UntilProgress() { progressed_.Wait(); }
  absl::StatusOr<v1::Job> Result() { return result_.get(); }

 private:
  Notification progressed_;
  std::future<absl::StatusOr<v1::Job>> result_;
};

TEST_F(WatchTest, AWatchBeginsWithTheJobAsItIsAndEndsWithItsEnd) {
  ASSERT_OK_AND_ASSIGN(v1::Job job, client().TrainMidcoder(ShortTraining()));
  std::vector<v1::Job> seen;
  ASSERT_OK_AND_ASSIGN(v1::Job end,
                       client().WatchJob(job.name(), [&seen](const v1::Job& now) { seen.push_back(now); }));
  EXPECT_EQ(end.state(), v1::JOB_STATE_SUCCEEDED);
  ASSERT_FALSE(seen.empty());
  EXPECT_TRUE(google::protobuf::util::MessageDifferencer::Equals(seen.back(), end));
  for (size_t i = 1; i < seen.size(); ++i) EXPECT_LE(seen[i - 1].progress().done(), seen[i].progress().done());
}

TEST_F(WatchTest, AJobThatHasEndedIsReturnedAtOnce) {
  ASSERT_OK_AND_ASSIGN(v1::Job job, client().TrainMidcoder(ShortTraining()));
  ASSERT_OK(client().WaitForJob(job.name()));
  int calls = 0;
  ASSERT_OK_AND_ASSIGN(v1::Job again, client().WatchJob(job.name(), [&calls](const v1::Job&) { ++calls; }));
  EXPECT_EQ(again.state(), v1::JOB_STATE_SUCCEEDED);
  EXPECT_EQ(calls, 1);
}

TEST_F(WatchTest, TheDeadlineEndsTheWatchAndNotTheJob) {
  ASSERT_OK_AND_ASSIGN(v1::Job job, client().TrainMidcoder(EndlessTraining()));
  absl::Status status =
      client().WaitForJob(job.name(), nullptr, {.deadline = absl::Now() + absl::Milliseconds(200)}).status();
  EXPECT_THAT(status, FailsWith(absl::StatusCode::kDeadlineExceeded, "DEADLINE_PASSED"));
  EXPECT_THAT(status, MessageHas("goes on"));
  ASSERT_OK_AND_ASSIGN(v1::Job now, client().GetJob(job.name()));
  EXPECT_FALSE(IsFinished(now));
  ASSERT_OK(client().CancelJob(job.name()));
}

TEST_F(WatchTest, AStopEndsTheWatchAndNotTheJob) {
  ASSERT_OK_AND_ASSIGN(v1::Job job, client().TrainMidcoder(EndlessTraining()));
  std::stop_source stop;
  BackgroundWait wait(client(), job.name(), {.stop = stop.get_token()});
  wait.UntilProgress();
  stop.request_stop();
  EXPECT_EQ(wait.Result().status().code(), absl::StatusCode::kCancelled);
  ASSERT_OK_AND_ASSIGN(v1::Job now, client().GetJob(job.name()));
  EXPECT_FALSE(IsFinished(now));
  ASSERT_OK(client().CancelJob(job.name()));
}

TEST_F(WatchTest, AStopBeforehandEndsTheWatchToo) {
  ASSERT_OK_AND_ASSIGN(v1::Job job, client().TrainMidcoder(EndlessTraining()));
  std::stop_source stop;
  stop.request_stop();
  EXPECT_EQ(client().WatchJob(job.name(), nullptr, {.stop = stop.get_token()}).status().code(),
            absl::StatusCode::kCancelled);
  ASSERT_OK(client().CancelJob(job.name()));
}

TEST_F(WatchTest, AWaitOutlivesAKilledServer) {
  ASSERT_OK_AND_ASSIGN(v1::Job job, client().TrainMidcoder(LongTraining()));
  BackgroundWait wait(client(), job.name());
  wait.UntilProgress();
  server().process().Kill();
  ASSERT_OK(server().StartAgain());
  ASSERT_OK_AND_ASSIGN(v1::Job end, wait.Result());
  EXPECT_EQ(end.state(), v1::JOB_STATE_SUCCEEDED);
  EXPECT_EQ(end.attempt(), 2);
  EXPECT_EQ(end.trained_midcoders().midcoders_size(), 1);
}

TEST_F(WatchTest, AWaitOutlivesAServerThatIsRestartedInOrder) {
  ASSERT_OK_AND_ASSIGN(v1::Job job, client().TrainMidcoder(LongTraining()));
  BackgroundWait wait(client(), job.name());
  wait.UntilProgress();
  EXPECT_EQ(server().process().Terminate(), 0);
  ASSERT_OK(server().StartAgain());
  ASSERT_OK_AND_ASSIGN(v1::Job end, wait.Result());
  EXPECT_EQ(end.state(), v1::JOB_STATE_SUCCEEDED);
}

TEST_F(WatchTest, AServerThatStaysAwayIsGivenUp) {
  ASSERT_OK_AND_ASSIGN(v1::Job job, client().TrainMidcoder(EndlessTraining()));
  BackgroundWait wait(client(), job.name(), {.reconnect_for = absl::Milliseconds(500)});
  wait.UntilProgress();
  server().process().Kill();
  absl::Status status = wait.Result().status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(status, MessageHas(job.name()));
  // A first look at a server that is not there does not wait for it.
  EXPECT_EQ(client().WatchJob(job.name(), nullptr).status().code(), absl::StatusCode::kUnavailable);
  ASSERT_OK(server().StartAgain());
  ASSERT_OK_AND_ASSIGN(Client again, server().Connect());
  EXPECT_OK(again.CancelJob(job.name()));
}

}  // namespace
}  // namespace superpose::client
