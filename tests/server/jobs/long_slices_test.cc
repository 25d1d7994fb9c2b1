// Jobs some of whose slices take long: eigenproblems are one unit.
#include "server/jobs/long_slices.h"

#include <thread>

#include "server/runtime/reasons.h"
#include "tests/server/jobs/collection_rig.h"

namespace superpose {
namespace {

// A long slice under way, by its job: it goes on when it is released.
class Slices {
 public:
  absl::StatusOr<bool> Run(const std::string& job) {
    begun_[job].Notify();
    released_.Wait();
    return end_;
  }
  void WaitFor(const std::string& job) { begun_.at(job).Wait(); }
  void Expect(const std::string& job) { begun_.try_emplace(job); }
  bool HasBegun(const std::string& job) const { return begun_.at(job).HasBeenNotified(); }
  void Release() { released_.Notify(); }
  void EndWith(absl::Status status) { end_ = std::move(status); }

 private:
  std::map<std::string, Notification> begun_;  // does not change while jobs run
  Notification released_;
  absl::StatusOr<bool> end_ = true;
};

// A short slice, a long one, and no more.
class LongWork final : public JobWork, public LongSlices {
 public:
  LongWork(std::string name, Slices* slices) : name_(std::move(name)), slices_(slices) {}

  bool NextIsLong() const override { return done_ == 1; }
  absl::StatusOr<bool> RunSlice(const Budget&) override {
    if (done_ == 0) {
      device_ = std::this_thread::get_id();
      ++done_;
      return false;
    }
    EXPECT_NE(std::this_thread::get_id(), device_) << "the device's thread is free";
    auto end = slices_->Run(name_);
    ++done_;
    return end;
  }
  bool AtBoundary() const override { return true; }
  WorkReport Report() const override {
    WorkReport report;
    report.progress.set_done(done_);
    report.progress.set_total(2);
    return report;
  }
  absl::StatusOr<bool> WriteCheckpoint(const KeepWriting&) override { return false; }
  absl::StatusOr<v1::Job> Finish(const KeepWriting&) override { return v1::Job(); }

 private:
  const std::string name_;
  Slices* const slices_;
  std::thread::id device_;
  int64_t done_ = 0;
};

class LongSlicesTest : public testing::Test {
 protected:
  void SetUp() override { ASSERT_NE(TinyRegistry(), nullptr); }

  DurableJobManager::Options Options() {
    DurableJobManager::Options options;
    options.caps = {.max_running = 2, .max_running_per_user = 2};
    options.checkpoint_interval = absl::InfiniteDuration();
    options.estimate_memory = [](const v1::Job&, const JobParts&) { return MemoryEstimate(); };
    options.make_work = [this](const v1::Job& job, const JobParts&) -> absl::StatusOr<std::unique_ptr<JobWork>> {
      return std::make_unique<LongWork>(job.request_id(), &slices_);
    };
    return options;
  }
  v1::Job Submit(ManagerRig& rig, const std::string& id) {
    v1::Job job;
    job.set_owner("ada");
    job.set_request_id(id);
    job.mutable_analyze_snapshot()->mutable_gram();
    return rig.Submit(job);
  }
  // Submits a job and waits until its long slice is under way.
  v1::Job SubmitLong(ManagerRig& rig) {
    slices_.Expect("first");
    slices_.Expect("second");
    const v1::Job job = Submit(rig, "first");
    slices_.WaitFor("first");
    return job;
  }
  // Submits a job and waits until its long slice waits for the other's.
  v1::Job SubmitWaiting(ManagerRig& rig) {
    const v1::Job job = Submit(rig, "second");
    rig.WaitUntil(job.name(), [](const v1::Job& now) { return now.progress().done() == 1; });
    return job;
  }

  TemporaryFolder folder_;
  Slices slices_;
};

TEST_F(LongSlicesTest, OthersAreAnsweredWhileOneIsUnderWay) {
  ManagerRig rig(folder_.path(), Options());
  const v1::Job job = SubmitLong(rig);
  EXPECT_OK(rig.executor().RunAndWait([] { return absl::OkStatus(); }));
  const v1::Job now = rig.Get(job.name());
  EXPECT_EQ(now.state(), v1::JOB_STATE_RUNNING);
  EXPECT_EQ(now.progress().done(), 1) << "what was done before is reported";
  slices_.Release();
  EXPECT_EQ(rig.WaitForEnd(job.name()).state(), v1::JOB_STATE_SUCCEEDED);
}

TEST_F(LongSlicesTest, ACancelMeanwhileTakesEffectAtItsEndThoughItWasTheLast) {
  ManagerRig rig(folder_.path(), Options());
  const v1::Job job = SubmitLong(rig);
  ASSERT_OK_AND_ASSIGN(const v1::Job cancelled, rig.manager().Cancel(job.name()));
  EXPECT_TRUE(cancelled.cancel_requested());
  slices_.Release();
  EXPECT_EQ(rig.WaitForEnd(job.name()).state(), v1::JOB_STATE_CANCELLED);
}

TEST_F(LongSlicesTest, AFailureInOneIsTheJobs) {
  ManagerRig rig(folder_.path(), Options());
  const v1::Job job = SubmitLong(rig);
  slices_.EndWith(InternalError(reason::kComputeFailed, "no convergence"));
  slices_.Release();
  const v1::Job end = rig.WaitForEnd(job.name());
  EXPECT_EQ(end.state(), v1::JOB_STATE_FAILED);
  EXPECT_EQ(ReasonOfJob(end), reason::kComputeFailed);
}

TEST_F(LongSlicesTest, AnotherWaitsForItsEnd) {
  ManagerRig rig(folder_.path(), Options());
  SubmitLong(rig);
  const v1::Job second = SubmitWaiting(rig);
  EXPECT_FALSE(slices_.HasBegun("second"));
  slices_.Release();
  EXPECT_EQ(rig.WaitForEnd(second.name()).state(), v1::JOB_STATE_SUCCEEDED);
}

TEST_F(LongSlicesTest, OneThatWaitsIsCancelledAtOnce) {
  ManagerRig rig(folder_.path(), Options());
  const v1::Job first = SubmitLong(rig), second = SubmitWaiting(rig);
  ASSERT_OK(rig.manager().Cancel(second.name()));
  EXPECT_EQ(rig.WaitForEnd(second.name()).state(), v1::JOB_STATE_CANCELLED);
  EXPECT_EQ(rig.Get(first.name()).state(), v1::JOB_STATE_RUNNING);
  slices_.Release();
  EXPECT_EQ(rig.WaitForEnd(first.name()).state(), v1::JOB_STATE_SUCCEEDED);
  EXPECT_FALSE(slices_.HasBegun("second"));
}

TEST_F(LongSlicesTest, AServerThatStopsGivesThemBackToTheQueue) {
  ManagerRig rig(folder_.path(), Options());
  const v1::Job first = SubmitLong(rig), second = SubmitWaiting(rig);
  rig.manager().Stop(absl::Now());
  for (const v1::Job& job : {first, second}) {
    ASSERT_OK_AND_ASSIGN(const v1::Job left, rig.store().Get(job.name()));
    EXPECT_EQ(left.state(), v1::JOB_STATE_QUEUED) << job.request_id();
  }
  slices_.Release();  // nothing comes of it any more
}

TEST_F(LongSlicesTest, AServerThatStopsInTimeWaitsForTheOneUnderWay) {
  ManagerRig rig(folder_.path(), Options());
  const v1::Job job = SubmitLong(rig);
  std::thread releaser([this] { slices_.Release(); });
  rig.manager().Stop(absl::InfiniteFuture());
  releaser.join();
  ASSERT_OK_AND_ASSIGN(const v1::Job ended, rig.store().Get(job.name()));
  EXPECT_EQ(ended.state(), v1::JOB_STATE_SUCCEEDED);
}

TEST_F(LongSlicesTest, TheDeviceMayEndBeforeOneDoes) {
  ManagerRig rig(folder_.path(), Options());
  const v1::Job job = SubmitLong(rig);
  rig.executor().Stop();
  slices_.Release();
  EXPECT_EQ(rig.WaitForEnd(job.name()).state(), v1::JOB_STATE_SUCCEEDED);
}

}  // namespace
}  // namespace superpose
