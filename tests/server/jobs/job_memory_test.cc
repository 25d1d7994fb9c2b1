// Which jobs start, by what they take in memory, and what they keep from being unloaded.
#include "server/jobs/job_memory.h"

#include <new>

#include "server/runtime/reasons.h"
#include "tests/server/jobs/manager_rig.h"
#include "tests/server/jobs/scripted_work.h"

namespace superpose {
namespace {

constexpr int64_t kMiB = int64_t{1} << 20;

// Jobs take as many MiB as they have steps, and end when they are told to.
class JobMemoryTest : public testing::Test {
 protected:
  void SetUp() override { ASSERT_NE(TinyRegistry(), nullptr); }

  DurableJobManager::Options Options() {
    DurableJobManager::Options options;
    options.caps = {.max_running = 8, .max_running_per_user = 8};
    options.estimate_memory = [](const v1::Job& job, const JobParts&) -> absl::StatusOr<MemoryEstimate> {
      return MemoryEstimate{.peak_bytes = job.train_midcoder().steps() * kMiB, .held_bytes = 0, .checkpoint_bytes = 0};
    };
    options.make_work = [this](const v1::Job& job, const JobParts&) -> absl::StatusOr<std::unique_ptr<JobWork>> {
      Script script;
      script.run_slice = [this, name = job.name()](const Budget&) { return MayEnd(name); };
      return std::make_unique<ScriptedWork>(std::move(script));
    };
    return options;
  }
  bool MayEnd(const std::string& name) {
    const MutexLock lock(&mutex_);
    return may_end_.count(name) > 0;
  }
  void End(const std::string& name) {
    const MutexLock lock(&mutex_);
    may_end_.insert(name);
  }

  const TemporaryFolder folder_;
  MemoryBudget budget_{16 * kMiB};  // 15 for jobs
  Mutex mutex_;
  std::set<std::string> may_end_ ABSL_GUARDED_BY(mutex_);
};

bool Runs(const v1::Job& job) { return job.state() == v1::JOB_STATE_RUNNING; }

TEST_F(JobMemoryTest, AJobWithoutRoomWaitsInTheQueueUntilThereIs) {
  ManagerRig rig(folder_.path(), Options(), nullptr, TinyRegistry(), &budget_);
  const std::string first = rig.Submit(TinyTraining(10)).name();
  const std::string second = rig.Submit(TinyTraining(10)).name();
  rig.WaitUntil(first, Runs);
  EXPECT_EQ(budget_.used_bytes(), 10 * kMiB);
  EXPECT_EQ(rig.Get(second).state(), v1::JOB_STATE_QUEUED);
  End(first);
  rig.WaitUntil(second, Runs);
  EXPECT_EQ(budget_.used_bytes(), 10 * kMiB);
  End(second);
  rig.WaitForEnd(second);
}

TEST_F(JobMemoryTest, JobsThatFitTogetherRunTogether) {
  ManagerRig rig(folder_.path(), Options(), nullptr, TinyRegistry(), &budget_);
  const std::string first = rig.Submit(TinyTraining(7)).name();
  const std::string second = rig.Submit(TinyTraining(8)).name();
  rig.WaitUntil(first, Runs);
  rig.WaitUntil(second, Runs);
  EXPECT_EQ(budget_.used_bytes(), 15 * kMiB);
  End(first);
  End(second);
  rig.WaitForEnd(first);
  rig.WaitForEnd(second);
}

TEST_F(JobMemoryTest, ASmallJobDoesNotOvertakeALargeOneThatWaits) {
  ManagerRig rig(folder_.path(), Options(), nullptr, TinyRegistry(), &budget_);
  const std::string first = rig.Submit(TinyTraining(10)).name();
  rig.WaitUntil(first, Runs);
  const std::string large = rig.Submit(TinyTraining(12)).name();
  const std::string small = rig.Submit(TinyTraining(1)).name();
  // The manager looks at the queue when a job is submitted and when one ends.
  const std::string last = rig.Submit(TinyTraining(1)).name();
  EXPECT_EQ(rig.Get(small).state(), v1::JOB_STATE_QUEUED);
  End(first);
  rig.WaitUntil(large, Runs);
  rig.WaitUntil(small, Runs);
  rig.WaitUntil(last, Runs);
  for (const std::string& name : {large, small, last}) End(name);
  for (const std::string& name : {large, small, last}) rig.WaitForEnd(name);
}

TEST_F(JobMemoryTest, AJobThatCanNeverFitFailsAndTheOthersGoOn) {
  ManagerRig rig(folder_.path(), Options(), nullptr, TinyRegistry(), &budget_);
  const std::string large = rig.Submit(TinyTraining(16)).name();
  const std::string small = rig.Submit(TinyTraining(1)).name();
  const v1::Job failed = rig.WaitForEnd(large);
  EXPECT_EQ(failed.state(), v1::JOB_STATE_FAILED);
  EXPECT_THAT(failed.error().message(), testing::HasSubstr("this job needs 16.0 MiB of memory, and 15.0 MiB"));
  End(small);
  EXPECT_EQ(rig.WaitForEnd(small).state(), v1::JOB_STATE_SUCCEEDED);
}

TEST_F(JobMemoryTest, AnEstimateThatThrowsEndsNoServer) {
  DurableJobManager::Options options = Options();
  options.estimate_memory = [](const v1::Job&, const JobParts&) -> absl::StatusOr<MemoryEstimate> {
    throw std::bad_alloc();
  };
  ManagerRig rig(folder_.path(), options, nullptr, TinyRegistry(), &budget_);
  const std::string name = rig.Submit(TinyTraining(1)).name();
  End(name);
  EXPECT_EQ(rig.WaitForEnd(name).state(), v1::JOB_STATE_SUCCEEDED);
}

TEST_F(JobMemoryTest, AJobThatWaitsForMemoryCanBeCancelled) {
  ManagerRig rig(folder_.path(), Options(), nullptr, TinyRegistry(), &budget_);
  const std::string first = rig.Submit(TinyTraining(10)).name();
  rig.WaitUntil(first, Runs);
  const std::string second = rig.Submit(TinyTraining(10)).name();
  EXPECT_OK(rig.manager().Cancel(second));
  EXPECT_EQ(rig.WaitForEnd(second).state(), v1::JOB_STATE_CANCELLED);
  End(first);
  rig.WaitForEnd(first);
}

TEST_F(JobMemoryTest, AJobsModelAndTranscoderAreInUseUntilItHasEnded) {
  ManagerRig rig(folder_.path(), Options(), nullptr, TinyRegistry(), &budget_);
  const auto check = [&](const std::string& name) {
    return CheckNoJobUses(name, &rig.store(), {&rig.midcoders(), &rig.snapshots()});
  };
  EXPECT_OK(check("models/tiny"));
  const std::string running = rig.Submit(TinyTraining(10)).name();
  const std::string queued = rig.Submit(TinyTraining(10)).name();
  rig.WaitUntil(running, Runs);
  for (const char* name : {"models/tiny", "models/tiny/transcoders/layer1"}) {
    EXPECT_THAT(check(name), IsError(absl::StatusCode::kFailedPrecondition, reason::kResourceInUse)) << name;
    EXPECT_THAT(check(name), MessageHas(running));
    EXPECT_THAT(check(name), MessageHas(queued));
  }
  for (const char* name : {"models/tin", "models/tiny/transcoders/layer", "models/other"})
    EXPECT_OK(check(name)) << name;
  End(running);
  End(queued);
  rig.WaitForEnd(running);
  rig.WaitForEnd(queued);
  EXPECT_OK(check("models/tiny"));
}

TEST_F(JobMemoryTest, TheEstimateOfATrainingGrowsWithItsBatch) {
  ManagerRig rig(folder_.path(), Options(), nullptr, TinyRegistry(), &budget_);
  JobParts parts;
  parts.registry = TinyRegistry();
  v1::Job job = TinyTraining(10);
  ASSERT_OK_AND_ASSIGN(const MemoryEstimate small, EstimateJobMemory(job, parts));
  job.mutable_train_midcoder()->set_batch_size(64);
  ASSERT_OK_AND_ASSIGN(const MemoryEstimate large, EstimateJobMemory(job, parts));
  EXPECT_GT(large.peak_bytes, small.peak_bytes);
  EXPECT_EQ(large.checkpoint_bytes, small.checkpoint_bytes);
}

}  // namespace
}  // namespace superpose
