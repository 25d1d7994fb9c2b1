// What the manager does when storing fails, for a while or for good.
#include <google/rpc/error_details.pb.h>

#include <atomic>
#include <filesystem>
#include <new>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>

#include "lib/base/error.h"
#include "server/runtime/reasons.h"
#include "tests/server/jobs/manager_rig.h"
#include "tests/server/jobs/scripted_work.h"

namespace superpose {
namespace {

absl::Status DiskFull() { return ResourceExhausted(reason::kStorageFull, "the disk is full"); }

std::string ReasonOfJob(const v1::Job& job) {
  google::rpc::ErrorInfo info;
  for (const auto& detail : job.error().details()) {
    if (detail.UnpackTo(&info)) return info.reason();
  }
  return "";
}

class JobTroublesTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_NE(TinyRegistry(), nullptr);
    options_.shortest_pause = absl::Milliseconds(1);
    options_.make_work = [this](const v1::Job&, const JobParts&) -> absl::StatusOr<std::unique_ptr<JobWork>> {
      return std::make_unique<ScriptedWork>(script_);
    };
  }
  ManagerRig& Start() {
    rig_.emplace(folder_.path(), options_, [this](JobStore* store) { return &store_.emplace(store); });
    return *rig_;
  }
  // Works until it is told to stand still or to end.
  static absl::StatusOr<bool> WorkOn(const Budget& budget) {
    while (!budget.Exhausted()) std::this_thread::yield();
    return false;
  }

  TemporaryFolder folder_;
  Script script_;
  DurableJobManager::Options options_;
  std::optional<TroubledStore> store_;
  std::optional<ManagerRig> rig_;
};

TEST_F(JobTroublesTest, WhatAJobMadeIsStoredOnceTheDiskHasRoomAgain) {
  std::atomic<int> tries = 0;
  script_.finish = [&](const KeepWriting&) -> absl::StatusOr<v1::Job> {
    if (++tries < 3) return DiskFull();
    v1::Job result;
    result.mutable_trained_midcoders()->add_midcoders("midcoders/a");
    return result;
  };
  ManagerRig& rig = Start();
  const v1::Job job = rig.WaitForEnd(rig.Submit(TinyTraining(1)).name());
  EXPECT_EQ(job.state(), v1::JOB_STATE_SUCCEEDED) << job.error().message();
  EXPECT_EQ(job.trained_midcoders().midcoders_size(), 1);
  EXPECT_EQ(tries, 3);
}

TEST_F(JobTroublesTest, WhatIsNotTheDisksFaultFailsTheJobAtOnce) {
  std::atomic<int> tries = 0;
  script_.finish = [&](const KeepWriting&) -> absl::StatusOr<v1::Job> {
    ++tries;
    return InternalError(reason::kComputeFailed, "no way");
  };
  ManagerRig& rig = Start();
  const v1::Job job = rig.WaitForEnd(rig.Submit(TinyTraining(1)).name());
  EXPECT_EQ(job.state(), v1::JOB_STATE_FAILED);
  EXPECT_EQ(ReasonOfJob(job), reason::kComputeFailed);
  EXPECT_EQ(tries, 1);
}

TEST_F(JobTroublesTest, AStopWhileTheDiskIsFullGivesTheJobThatIsDoneBack) {
  Notification tried;
  std::atomic<int> checkpoints = 0;
  script_.finish = [&](const KeepWriting&) -> absl::StatusOr<v1::Job> {
    if (!tried.HasBeenNotified()) tried.Notify();
    return DiskFull();
  };
  script_.write_checkpoint = [&](const KeepWriting&) {
    ++checkpoints;
    return true;
  };
  options_.shortest_pause = absl::Seconds(30);
  ManagerRig& rig = Start();
  const std::string name = rig.Submit(TinyTraining(1)).name();
  tried.Wait();
  rig.manager().Stop(absl::InfiniteFuture());
  EXPECT_EQ(rig.Get(name).state(), v1::JOB_STATE_QUEUED);
  EXPECT_EQ(checkpoints, 1);
}

TEST_F(JobTroublesTest, AJobThatWaitsForTheDiskCanBeCancelled) {
  Notification tried;
  script_.finish = [&](const KeepWriting&) -> absl::StatusOr<v1::Job> {
    if (!tried.HasBeenNotified()) tried.Notify();
    return DiskFull();
  };
  options_.shortest_pause = absl::Seconds(30);
  ManagerRig& rig = Start();
  const std::string name = rig.Submit(TinyTraining(1)).name();
  tried.Wait();
  ASSERT_OK(rig.manager().Cancel(name));
  EXPECT_EQ(rig.WaitForEnd(name).state(), v1::JOB_STATE_CANCELLED);
}

TEST_F(JobTroublesTest, AnEndThatTheStoreDoesNotTakeIsToldAgain) {
  std::atomic<int> finishes = 0;
  std::atomic<int> tellings = 0;
  script_.finish = [&](const KeepWriting&) -> absl::StatusOr<v1::Job> {
    ++finishes;
    return v1::Job();
  };
  ManagerRig& rig = Start();
  store_->before_finish = [&] { return ++tellings == 1 ? DiskFull() : absl::OkStatus(); };
  EXPECT_EQ(rig.WaitForEnd(rig.Submit(TinyTraining(1)).name()).state(), v1::JOB_STATE_SUCCEEDED);
  EXPECT_EQ(finishes, 1);
  EXPECT_EQ(tellings, 2);
}

TEST_F(JobTroublesTest, AJobGoesOnAfterACheckpointThatFailed) {
  std::atomic<int> checkpoints = 0;
  script_.run_slice = [&](const Budget& budget) -> absl::StatusOr<bool> {
    return checkpoints < 2 ? WorkOn(budget) : absl::StatusOr<bool>(true);
  };
  script_.write_checkpoint = [&](const KeepWriting&) -> absl::StatusOr<bool> {
    ++checkpoints;
    return DiskFull();
  };
  options_.checkpoint_interval = absl::ZeroDuration();
  ManagerRig& rig = Start();
  EXPECT_EQ(rig.WaitForEnd(rig.Submit(TinyTraining(1)).name()).state(), v1::JOB_STATE_SUCCEEDED);
  EXPECT_GE(checkpoints, 2);
}

TEST_F(JobTroublesTest, AJobThatWasTakenOverEndsWithoutATrace) {
  Notification started;
  std::atomic<int> runs = 0;
  options_.heartbeat_interval = absl::ZeroDuration();
  options_.make_work = [&](const v1::Job&, const JobParts&) -> absl::StatusOr<std::unique_ptr<JobWork>> {
    ++runs;
    return std::make_unique<ScriptedWork>(script_);
  };
  script_.run_slice = [&](const Budget& budget) -> absl::StatusOr<bool> {
    if (!started.HasBeenNotified()) started.Notify();
    return runs == 1 ? WorkOn(budget) : absl::StatusOr<bool>(true);
  };
  ManagerRig& rig = Start();
  const std::string name = rig.Submit(TinyTraining(1)).name();
  started.Wait();
  ASSERT_OK(rig.store().Recover(absl::UnixEpoch(), /*all=*/true));  // as another server would
  const v1::Job job = rig.WaitForEnd(name);
  EXPECT_EQ(job.state(), v1::JOB_STATE_SUCCEEDED);
  EXPECT_EQ(job.attempt(), 2);
  EXPECT_EQ(runs, 2);
}

TEST_F(JobTroublesTest, LeasesAreKeptWhileLargeFilesAreWritten) {
  std::atomic<int> heartbeats = 0;
  options_.heartbeat_interval = absl::ZeroDuration();
  script_.finish = [&](const KeepWriting& keep_writing) -> absl::StatusOr<v1::Job> {
    const int before = heartbeats;
    for (int part = 0; part < 5; ++part) EXPECT_OK(keep_writing());
    EXPECT_GE(heartbeats - before, 5);
    return v1::Job();
  };
  ManagerRig& rig = Start();
  store_->before_heartbeat = [&] {
    ++heartbeats;
    return absl::OkStatus();
  };
  EXPECT_EQ(rig.WaitForEnd(rig.Submit(TinyTraining(1)).name()).state(), v1::JOB_STATE_SUCCEEDED);
}

TEST_F(JobTroublesTest, WritingEndsWhenTheLeaseIsLost) {
  Notification refused;
  options_.heartbeat_interval = absl::ZeroDuration();
  script_.finish = [&](const KeepWriting& keep_writing) -> absl::StatusOr<v1::Job> {
    if (refused.HasBeenNotified()) return v1::Job();
    EXPECT_OK(rig_->store().Recover(absl::UnixEpoch(), /*all=*/true));
    absl::Status status = keep_writing();
    EXPECT_THAT(status, IsError(absl::StatusCode::kAborted, reason::kLeaseLost));
    refused.Notify();
    return status;
  };
  ManagerRig& rig = Start();
  const v1::Job job = rig.WaitForEnd(rig.Submit(TinyTraining(1)).name());
  EXPECT_TRUE(refused.HasBeenNotified());
  EXPECT_EQ(job.state(), v1::JOB_STATE_SUCCEEDED);
  EXPECT_EQ(job.attempt(), 2);
}

TEST_F(JobTroublesTest, AStopDoesNotWaitForACheckpointLongerThanItsDeadline) {
  Notification writing;
  script_.run_slice = WorkOn;
  script_.write_checkpoint = [&](const KeepWriting& keep_writing) -> absl::StatusOr<bool> {
    writing.Notify();
    absl::Status status = absl::OkStatus();
    while (status.ok()) status = keep_writing();  // a file without end
    return status;
  };
  options_.checkpoint_interval = absl::ZeroDuration();
  ManagerRig& rig = Start();
  const std::string name = rig.Submit(TinyTraining(1)).name();
  writing.Wait();
  rig.manager().Stop(absl::Now());
  EXPECT_EQ(rig.Get(name).state(), v1::JOB_STATE_QUEUED);
}

TEST_F(JobTroublesTest, AJobThatComesToNoBoundaryInTimeIsGivenBack) {
  Notification working;
  Notification stopped;
  script_.run_slice = [&](const Budget&) {
    working.Notify();
    stopped.Wait();
    return false;
  };
  ManagerRig& rig = Start();
  const std::string name = rig.Submit(TinyTraining(1)).name();
  working.Wait();
  rig.manager().Stop(absl::Now());
  EXPECT_EQ(rig.Get(name).state(), v1::JOB_STATE_QUEUED);
  stopped.Notify();
  rig_.reset();
}

TEST_F(JobTroublesTest, AJobCancelledWhileTheServerStopsIsCancelled) {
  Notification writing;
  Notification cancelled;
  Notification working;  // from here on a stop waits for it
  script_.run_slice = [&](const Budget& budget) {
    if (!working.HasBeenNotified()) working.Notify();
    return WorkOn(budget);
  };
  script_.write_checkpoint = [&](const KeepWriting&) {
    writing.Notify();
    cancelled.Wait();
    return true;
  };
  ManagerRig& rig = Start();
  const std::string name = rig.Submit(TinyTraining(1)).name();
  working.Wait();
  WriteFile(folder_ / name + "/history.bin", "rows");
  std::thread stop([&] { rig.manager().Stop(absl::InfiniteFuture()); });
  writing.Wait();
  ASSERT_OK(rig.manager().Cancel(name));
  cancelled.Notify();
  stop.join();
  EXPECT_EQ(rig.Get(name).state(), v1::JOB_STATE_CANCELLED);
  EXPECT_FALSE(std::filesystem::exists(folder_ / name));
}

TEST_F(JobTroublesTest, ARequestSentAgainGetsItsJobThoughItCouldNotBeMadeNow) {
  ManagerRig& rig = Start();
  v1::Job request = TinyTraining(1);
  request.set_request_id("once");
  ASSERT_OK_AND_ASSIGN(const v1::Job job, rig.manager().Submit(request, [](v1::Job as_sent) { return as_sent; }));
  const auto gone = [](const v1::Job&) -> absl::StatusOr<v1::Job> {
    return NotFound(reason::kMidcoderNotFound, "it was deleted");
  };
  ASSERT_OK_AND_ASSIGN(const v1::Job again, rig.manager().Submit(request, gone));
  EXPECT_EQ(again.name(), job.name());
  request.set_request_id("another");
  EXPECT_THAT(rig.manager().Submit(request, gone), IsError(absl::StatusCode::kNotFound, reason::kMidcoderNotFound));
}

// What is thrown in a job's work ends the job and not the server.
TEST_F(JobTroublesTest, AnExceptionFailsTheJobOnly) {
  std::atomic<int> runs = 0;
  script_.run_slice = [&](const Budget&) -> absl::StatusOr<bool> {
    if (++runs == 1) throw std::bad_alloc();
    if (runs == 2) throw std::length_error("too long");
    return true;
  };
  ManagerRig& rig = Start();
  const v1::Job first = rig.WaitForEnd(rig.Submit(TinyTraining(1)).name());
  EXPECT_EQ(ReasonOfJob(first), reason::kOutOfMemory);
  const v1::Job second = rig.WaitForEnd(rig.Submit(TinyTraining(1)).name());
  EXPECT_EQ(ReasonOfJob(second), reason::kComputeFailed);
  EXPECT_EQ(rig.WaitForEnd(rig.Submit(TinyTraining(1)).name()).state(), v1::JOB_STATE_SUCCEEDED);
}

TEST_F(JobTroublesTest, FilesOfACancelledJobAreRemoved) {
  script_.run_slice = WorkOn;
  ManagerRig& rig = Start();
  const std::string name = rig.Submit(TinyTraining(1)).name();
  rig.WaitUntil(name, [](const v1::Job& job) { return job.state() == v1::JOB_STATE_RUNNING; });
  WriteFile(folder_ / name + "/checkpoint-000000000001.safetensors", "tensors");
  ASSERT_OK(rig.manager().Cancel(name));
  EXPECT_EQ(rig.WaitForEnd(name).state(), v1::JOB_STATE_CANCELLED);
  rig.DestroyManager();  // its thread ends once it has attended to the job
  EXPECT_FALSE(std::filesystem::exists(folder_ / name));
}

}  // namespace
}  // namespace superpose
