// Snapshots of running jobs, asked for at every moment of a job's life.
#include "server/jobs/job_snapshots.h"

#include <thread>

#include "server/runtime/reasons.h"
#include "tests/server/jobs/collection_rig.h"
#include "tests/server/jobs/scripted_work.h"

namespace superpose {
namespace {

using testing::IsEmpty;
using testing::Pair;
using testing::SizeIs;
using testing::UnorderedElementsAre;

constexpr auto kPrecondition = absl::StatusCode::kFailedPrecondition;

class JobSnapshotsTest : public testing::Test {
 protected:
  void SetUp() override { ASSERT_NE(TinyRegistry(), nullptr); }

  // A job at the gate, with three batches counted.
  std::string StartAndHold(ManagerRig& rig, const v1::Job& job = TinyCollection()) {
    gate_.OpenUpTo(kHeldAt);
    const std::string name = rig.Submit(job).name();
    WaitUntilDone(rig, name, kHeldAt);
    return name;
  }

  static constexpr int64_t kHeldAt = 3 * kBatchTokens;
  TemporaryFolder folder_;
  Gate gate_;
};

TEST_F(JobSnapshotsTest, ARunningJobsSnapshotIsWhatItHasCounted) {
  ManagerRig rig(folder_.path(), Gated(&gate_));
  const v1::Job job = TinyCollection([](v1::StatisticsSpec* spec) {
    (*spec->mutable_labels())["run"] = "first";
    (*spec->mutable_labels())["by"] = "spec";
  });
  const std::string name = StartAndHold(rig, job);
  const SnapshotCall call(rig, name, {{"by", "ada"}, {"why", "curious"}});
  ASSERT_OK(call.Answer());
  ASSERT_THAT(*call.Answer(), SizeIs(1));
  const v1::Snapshot& snapshot = call.Answer()->front();
  EXPECT_EQ(snapshot.tokens(), kHeldAt);
  EXPECT_EQ(snapshot.sequences(0).stop(), 12);
  EXPECT_THAT(snapshot.labels(), UnorderedElementsAre(Pair("run", "first"), Pair("by", "ada"), Pair("why", "curious")));
  EXPECT_GT(snapshot.pause_seconds(), 0) << "the clock goes on whenever it is looked at";
  EXPECT_FALSE(snapshot.automatic());
  EXPECT_EQ(snapshot.job(), name);
  EXPECT_EQ(snapshot.owner(), "ada");
  ExpectSame(TensorsOf(rig, snapshot.name()), CollectDirectly(rig, job, kHeldAt).at(0));
  gate_.Open();
  const v1::Snapshot end = ResultOf(rig, rig.WaitForEnd(name));
  ExpectSame(TensorsOf(rig, end.name()), CollectDirectly(rig, job).at(0));
  ExpectSame(TensorsOf(rig, snapshot.name()), CollectDirectly(rig, job, kHeldAt).at(0));
}

TEST_F(JobSnapshotsTest, ASnapshotDoesNotChangeWhileItIsWrittenAndTheJobGoesOn) {
  ManagerRig rig(folder_.path(), Gated(&gate_));
  const v1::Job job = TinyCollection();
  const std::string name = StartAndHold(rig, job);
  const SnapshotCall call(rig, name);
  gate_.Open();
  ASSERT_OK(call.Answer());
  const v1::Snapshot& snapshot = call.Answer()->front();
  ExpectSame(TensorsOf(rig, snapshot.name()), CollectDirectly(rig, job, snapshot.tokens()).at(0));
  ExpectSame(TensorsOf(rig, ResultOf(rig, rig.WaitForEnd(name)).name()), CollectDirectly(rig, job).at(0));
}

TEST_F(JobSnapshotsTest, EveryoneWhoAsksGetsASnapshot) {
  ManagerRig rig(folder_.path(), Gated(&gate_));
  const std::string name = StartAndHold(rig);
  const SnapshotCall first(rig, name, {{"n", "1"}}), second(rig, name, {{"n", "2"}});
  ASSERT_OK(first.Answer());
  ASSERT_OK(second.Answer());
  EXPECT_EQ(first.Answer()->front().labels().at("n"), "1");
  EXPECT_EQ(second.Answer()->front().labels().at("n"), "2");
  EXPECT_NE(first.Answer()->front().name(), second.Answer()->front().name());
  EXPECT_EQ(first.Answer()->front().content_hash(), second.Answer()->front().content_hash());
  gate_.Open();
  rig.WaitForEnd(name);
}

TEST_F(JobSnapshotsTest, WithoutRoomForACopyTheJobWaitsForTheWritingAndGoesOn) {
  MemoryBudget budget(int64_t{1} << 30);
  ManagerRig rig(folder_.path(), Gated(&gate_), nullptr, TinyRegistry(), &budget);
  const v1::Job job = TinyCollection();
  const std::string name = StartAndHold(rig, job);
  ASSERT_OK_AND_ASSIGN(auto others, budget.Reserve(MemoryUse::kJob, budget.Available(MemoryUse::kJob), "others"));
  const SnapshotCall call(rig, name);
  ASSERT_OK(call.Answer());
  ExpectSame(TensorsOf(rig, call.Answer()->front().name()), CollectDirectly(rig, job, kHeldAt).at(0));
  gate_.Open();
  ExpectSame(TensorsOf(rig, ResultOf(rig, rig.WaitForEnd(name)).name()), CollectDirectly(rig, job).at(0));
}

TEST_F(JobSnapshotsTest, TheMemoryOfACopyIsGivenBack) {
  MemoryBudget budget(int64_t{1} << 30);
  ManagerRig rig(folder_.path(), Gated(&gate_), nullptr, TinyRegistry(), &budget);
  const std::string name = StartAndHold(rig);
  const int64_t used = budget.used_bytes();
  EXPECT_GT(used, 0);
  ASSERT_OK(SnapshotCall(rig, name).Answer());
  ASSERT_OK(SnapshotCall(rig, name).Answer());  // the manager has let go of the first by now
  gate_.Open();
  rig.WaitForEnd(name);
  rig.DestroyManager();
  EXPECT_EQ(budget.used_bytes(), 0);
}

TEST_F(JobSnapshotsTest, AJobThatEndsMeanwhileAnswersWithWhatItLeft) {
  ManagerRig rig(folder_.path(), Gated(&gate_));
  const std::string name = StartAndHold(rig);
  gate_.Open();
  const v1::Snapshot end = ResultOf(rig, rig.WaitForEnd(name));
  const SnapshotCall call(rig, name, {{"late", "yes"}});
  ASSERT_OK(call.Answer());
  ASSERT_THAT(*call.Answer(), SizeIs(1));
  EXPECT_EQ(call.Answer()->front().name(), end.name());
  EXPECT_THAT(SnapshotsOf(rig, name), SizeIs(1)) << "none is made of a job that has ended";
}

// The job is done with its work when the request comes, and its end is not stored yet.
TEST_F(JobSnapshotsTest, ARequestThatComesWhileTheEndIsStoredIsAnsweredWithIt) {
  Notification finishing, asked;
  Script script;
  script.finish = [&](const KeepWriting&) -> absl::StatusOr<v1::Job> {
    finishing.Notify();
    asked.Wait();
    return v1::Job();
  };
  DurableJobManager::Options options;
  options.make_work = [&](const v1::Job&, const JobParts&) -> absl::StatusOr<std::unique_ptr<JobWork>> {
    return std::make_unique<ScriptedWork>(script);
  };
  ManagerRig rig(folder_.path(), options);
  const std::string name = rig.Submit(TinyCollection()).name();
  finishing.Wait();
  v1::Snapshot left;
  left.set_job(name);
  ASSERT_OK_AND_ASSIGN(
      left, rig.snapshots().AddAtMoment(left, SnapshotStore::kAtEnd, {{"counts", at::ones({1})}}, absl::UnixEpoch()));
  const SnapshotCall call(rig, name);
  asked.Notify();
  ASSERT_OK(call.Answer());
  ASSERT_THAT(*call.Answer(), SizeIs(1));
  EXPECT_EQ(call.Answer()->front().name(), left.name());
}

TEST_F(JobSnapshotsTest, AQueuedJobHasNone) {
  ManagerRig rig(folder_.path(), Gated(&gate_));
  const std::string running = StartAndHold(rig);
  const std::string queued = rig.Submit(TinyCollection()).name();
  EXPECT_THAT(SnapshotCall(rig, queued).Answer(), IsError(kPrecondition, reason::kJobWithoutStatistics));
  EXPECT_THAT(SnapshotCall(rig, queued).Answer(), MessageHas("has counted nothing yet"));
  for (const std::string& name : {running, queued}) ASSERT_OK(rig.manager().Cancel(name));
  rig.WaitForEnd(running);
}

TEST_F(JobSnapshotsTest, AJobThatIsCancelledMeanwhileHasNone) {
  ManagerRig rig(folder_.path(), Gated(&gate_));
  const std::string name = StartAndHold(rig);
  ASSERT_OK(rig.manager().Cancel(name));
  const SnapshotCall call(rig, name);
  rig.WaitForEnd(name);
  // It may have stood at the boundary before it saw the cancel.
  if (call.Answer().ok()) {
    EXPECT_EQ(call.Answer()->front().tokens(), kHeldAt);
  } else {
    EXPECT_THAT(call.Answer(), IsError(kPrecondition, reason::kJobWithoutStatistics));
  }
  EXPECT_THAT(SnapshotCall(rig, name).Answer(), IsError(kPrecondition, reason::kJobWithoutStatistics));
}

TEST_F(JobSnapshotsTest, AServerThatStopsAnswersThoseWhoWait) {
  ManagerRig rig(folder_.path(), Gated(&gate_));
  const std::string name = StartAndHold(rig);
  std::thread stop([&] { rig.manager().Stop(absl::InfiniteFuture()); });
  const SnapshotCall call(rig, name);
  stop.join();
  if (!call.Answer().ok()) {
    EXPECT_THAT(call.Answer(), IsError(absl::StatusCode::kUnavailable, reason::kShuttingDown));
  }
  EXPECT_THAT(SnapshotCall(rig, name).Answer(), IsError(absl::StatusCode::kUnavailable, reason::kShuttingDown));
  EXPECT_EQ(rig.Get(name).state(), v1::JOB_STATE_QUEUED);
}

TEST_F(JobSnapshotsTest, ARequestThatNothingBecomesOfIsRefusedWhenTheManagerGoes) {
  Notification running, left;
  Script script;
  script.run_slice = [&](const Budget&) {
    running.Notify();
    left.Wait();
    return false;
  };
  DurableJobManager::Options options;
  options.make_work = [&](const v1::Job&, const JobParts&) -> absl::StatusOr<std::unique_ptr<JobWork>> {
    return std::make_unique<ScriptedWork>(script);
  };
  ManagerRig rig(folder_.path(), options);
  const std::string name = rig.Submit(TinyCollection()).name();
  running.Wait();
  const SnapshotCall call(rig, name);  // no boundary comes
  rig.DestroyManager();
  EXPECT_THAT(call.Answer(), IsError(absl::StatusCode::kUnavailable, reason::kShuttingDown));
  left.Notify();
}

TEST_F(JobSnapshotsTest, JobsOfOtherKindsAndNamesOfNothingHaveNone) {
  ManagerRig rig(folder_.path(), Gated(&gate_));
  const std::string training = rig.Submit(TinyTraining(100)).name();
  rig.WaitUntil(training, [](const v1::Job& job) { return job.state() == v1::JOB_STATE_RUNNING; });
  EXPECT_THAT(SnapshotCall(rig, training).Answer(), IsError(kPrecondition, reason::kJobWithoutStatistics));
  EXPECT_THAT(SnapshotCall(rig, "jobs/other").Answer(), IsError(absl::StatusCode::kNotFound, reason::kJobNotFound));
  EXPECT_THAT(SnapshotCall(rig, "other").Answer(), IsError(absl::StatusCode::kInvalidArgument, reason::kNameInvalid));
  gate_.OpenUpTo(1);
  WaitUntilDone(rig, training, 1);
  EXPECT_THAT(SnapshotCall(rig, training).Answer(), IsError(kPrecondition, reason::kJobWithoutStatistics));
  gate_.Open();
  EXPECT_EQ(rig.WaitForEnd(training).state(), v1::JOB_STATE_SUCCEEDED);
  EXPECT_THAT(SnapshotCall(rig, training).Answer(), IsError(kPrecondition, reason::kJobWithoutStatistics));
}

// TakeJobSnapshots by itself.
class TakeJobSnapshotsTest : public JobSnapshotsTest {
 protected:
  // Two transcoders, or what `taken` says.
  class Counted final : public JobWork {
   public:
    explicit Counted(std::function<absl::StatusOr<std::vector<TakenStatistics>>()> taken) : taken_(std::move(taken)) {}
    absl::StatusOr<bool> RunSlice(const Budget&) override { return true; }
    bool AtBoundary() const override { return true; }
    WorkReport Report() const override { return {}; }
    absl::StatusOr<bool> WriteCheckpoint(const KeepWriting&) override { return false; }
    absl::StatusOr<v1::Job> Finish(const KeepWriting&) override { return v1::Job(); }
    bool SnapshotIsDue() const override { return is_due; }
    absl::StatusOr<std::vector<TakenStatistics>> TakeStatistics() override { return taken_(); }
    bool is_due = false;

   private:
    const std::function<absl::StatusOr<std::vector<TakenStatistics>>()> taken_;
  };
  static std::vector<TakenStatistics> Two() {
    std::vector<TakenStatistics> taken(2);
    for (const char* name : {"first", "second"}) {
      TakenStatistics& one = taken[name == std::string("second")];
      one.snapshot.mutable_provenance()->set_transcoder(name);
      one.snapshot.set_tokens(7);
      one.snapshot.mutable_options()->set_keep_last(2);
      one.tensors = {{"counts", at::full({1}, 7, at::kLong)}};
    }
    return taken;
  }
  absl::Status Take(ManagerRig& rig, Counted& work, const std::vector<SnapshotRequest>& requests,
                    const KeepWriting& keep_writing = nullptr) {
    v1::Job job;
    job.set_name("jobs/a");
    return TakeJobSnapshots({.snapshots = &rig.snapshots(), .clock = &clock_}, job, work, requests, keep_writing,
                            [this] { ++resumed_; });
  }
  SnapshotRequest Request() {
    return {{}, [this](const absl::StatusOr<Snapshots>& snapshots) { answers_.push_back(snapshots); }};
  }

  TickingClock clock_;
  int resumed_ = 0;
  std::vector<absl::StatusOr<Snapshots>> answers_;
};

TEST_F(TakeJobSnapshotsTest, NothingIsDoneWhereNoneIsDueOrWanted) {
  ManagerRig rig(folder_.path());
  Counted work([]() -> absl::StatusOr<std::vector<TakenStatistics>> {
    ADD_FAILURE() << "nobody wants it";
    return Two();
  });
  EXPECT_OK(Take(rig, work, {}));
  EXPECT_EQ(resumed_, 0);
}

TEST_F(TakeJobSnapshotsTest, OfSeveralTranscodersAllAreKeptOrNone) {
  ManagerRig rig(folder_.path());
  Counted work(Two);
  int files = 0;
  const KeepWriting second_fails = [&]() -> absl::Status {
    return ++files == 2 ? ResourceExhausted(reason::kStorageFull, "the disk is full") : absl::OkStatus();
  };
  ASSERT_OK(Take(rig, work, {Request()}, second_fails));
  ASSERT_EQ(files, 2);
  ASSERT_THAT(answers_, SizeIs(1));
  EXPECT_THAT(answers_[0], IsError(absl::StatusCode::kResourceExhausted, reason::kStorageFull));
  EXPECT_THAT(SnapshotsOf(rig, "jobs/a"), IsEmpty());
  ASSERT_OK(Take(rig, work, {Request(), Request()}));
  ASSERT_THAT(answers_, SizeIs(3));
  EXPECT_THAT(*answers_[1], SizeIs(2));
  EXPECT_THAT(SnapshotsOf(rig, "jobs/a"), SizeIs(4));
  EXPECT_EQ(resumed_, 2);
}

TEST_F(TakeJobSnapshotsTest, OneThatIsDueIsTakenBesideThoseThatAreWanted) {
  ManagerRig rig(folder_.path());
  Counted work(Two);
  work.is_due = true;
  ASSERT_OK(Take(rig, work, {Request()}));
  ASSERT_OK(Take(rig, work, {})) << "again, as after a crash";
  int automatic = 0;
  for (const v1::Snapshot& snapshot : SnapshotsOf(rig, "jobs/a")) automatic += snapshot.automatic() ? 1 : 0;
  EXPECT_EQ(automatic, 2);
  EXPECT_THAT(SnapshotsOf(rig, "jobs/a"), SizeIs(4));
}

TEST_F(TakeJobSnapshotsTest, WhatCannotBeTakenIsToldToAllAndTheJobIsLeftToItsCaller) {
  ManagerRig rig(folder_.path());
  Counted work([]() -> absl::StatusOr<std::vector<TakenStatistics>> { throw std::bad_alloc(); });
  EXPECT_OK(Take(rig, work, {Request(), Request()}));
  ASSERT_THAT(answers_, SizeIs(2));
  for (const auto& answer : answers_) {
    EXPECT_THAT(answer, IsError(absl::StatusCode::kResourceExhausted, reason::kOutOfMemory));
  }
  EXPECT_EQ(resumed_, 0);
  work.is_due = true;
  EXPECT_THAT(Take(rig, work, {}), IsError(absl::StatusCode::kResourceExhausted, reason::kOutOfMemory));
}

}  // namespace
}  // namespace superpose
