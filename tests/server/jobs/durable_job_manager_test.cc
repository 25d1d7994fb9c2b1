#include "server/jobs/durable_job_manager.h"

#include <ATen/ATen.h>
#include <google/rpc/error_details.pb.h>

#include <atomic>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "lib/base/error.h"
#include "server/jobs/checkpoint_files.h"
#include "server/runtime/reasons.h"
#include "tests/server/jobs/manager_rig.h"

namespace superpose {
namespace {

using testing::SizeIs;

constexpr int64_t kSteps = 40;
constexpr int64_t kEndless = 100'000'000;

bool HasProgress(const v1::Job& job) { return job.state() == v1::JOB_STATE_RUNNING && job.progress().done() > 0; }

std::string ReasonOfJob(const v1::Job& job) {
  google::rpc::ErrorInfo info;
  for (const auto& detail : job.error().details()) {
    if (detail.UnpackTo(&info)) return info.reason();
  }
  return "";
}

// What a trainer makes that nobody interrupts.
TensorMap TrainDirectly(DeviceExecutor& executor, int64_t steps) {
  TensorMap weights;
  EXPECT_OK(executor.RunAndWait([&]() -> absl::Status {
    const LoadedTranscoder& transcoder = **TinyRegistry()->FindTranscoder("models/tiny/layers/1");
    TrainerInputs inputs;
    inputs.model = (*TinyRegistry()->FindModel("models/tiny"))->model;
    inputs.transcoders = {transcoder.transcoder};
    inputs.sequences = *(*TinyRegistry()->FindCorpus("corpora/rows"))->corpus->Sequences(32, CorpusSplit::kAll);
    TrainerConfig config;
    config.layers = {1};
    config.steps = steps;
    config.batch_size = 8;
    auto trainer = MidcoderTrainer::Create(inputs, config);
    if (!trainer.ok()) return trainer.status();
    const auto done = (*trainer)->RunSlice(Budget::Unlimited());
    for (const auto& [name, tensor] : (*trainer)->midcoder(0).tensors()) weights[name] = tensor.clone();
    return done.status();
  }));
  return weights;
}

void ExpectWeights(ManagerRig& rig, const v1::Job& job, const TensorMap& wanted) {
  ASSERT_EQ(job.state(), v1::JOB_STATE_SUCCEEDED) << job.error().message();
  ASSERT_EQ(job.trained_midcoders().midcoders_size(), 1);
  ASSERT_OK_AND_ASSIGN(const SafetensorsFile file, rig.midcoders().Open(job.trained_midcoders().midcoders(0)));
  ASSERT_THAT(wanted, SizeIs(3));
  for (const auto& [name, tensor] : wanted) {
    ASSERT_EQ(file.tensors().count(name), 1u) << name;
    EXPECT_TRUE(at::equal(file.tensors().at(name), tensor)) << name;
  }
}

void ExpectWholeHistory(ManagerRig& rig, const v1::Job& job) {
  ASSERT_OK_AND_ASSIGN(const HistoryPage page, rig.midcoders().History(job.trained_midcoders().midcoders(0), 1000, ""));
  ASSERT_EQ(page.history.step_size(), kSteps);
  for (int i = 0; i < kSteps; ++i) EXPECT_EQ(page.history.step(i), i + 1);
}

// Trains step by step: holds every third step back until a checkpoint at that step is written, and after `wanted`
// such checkpoints does nothing more.
class HeldWork final : public JobWork {
 public:
  HeldWork(std::unique_ptr<JobWork> work, int wanted, Notification* written)
      : work_(std::move(work)), wanted_(wanted), written_(written) {}

  absl::StatusOr<bool> RunSlice(const Budget& /*budget*/) override {
    if (Waits()) return false;
    return work_->RunSlice(Budget([this] { return work_->AtBoundary(); }));
  }
  bool AtBoundary() const override { return work_->AtBoundary(); }
  WorkReport Report() const override { return work_->Report(); }
  absl::StatusOr<bool> WriteCheckpoint(const KeepWriting& keep_writing) override {
    if (!Waits() || checkpoints_ == wanted_) return false;  // a slow machine may ask at any step
    auto written = work_->WriteCheckpoint(keep_writing);
    if (written.ok()) {
      ++checkpoints_;
      if (checkpoints_ == wanted_) written_->Notify();
    }
    return written;
  }
  absl::StatusOr<v1::Job> Finish(const KeepWriting& keep_writing) override { return work_->Finish(keep_writing); }

 private:
  bool Waits() const { return checkpoints_ == wanted_ || work_->Report().progress.done() >= 3 * (checkpoints_ + 1); }

  const std::unique_ptr<JobWork> work_;
  const int wanted_;
  Notification* const written_;
  int checkpoints_ = 0;
};

// Notes the step that a job begins at.
class WatchedStart final : public JobWork {
 public:
  WatchedStart(std::unique_ptr<JobWork> work, std::atomic<int64_t>* first_step)
      : work_(std::move(work)), first_step_(first_step) {}

  absl::StatusOr<bool> RunSlice(const Budget& budget) override {
    auto done = work_->RunSlice(budget);
    if (*first_step_ < 0) *first_step_ = work_->Report().progress.done();
    return done;
  }
  bool AtBoundary() const override { return work_->AtBoundary(); }
  WorkReport Report() const override { return work_->Report(); }
  absl::StatusOr<bool> WriteCheckpoint(const KeepWriting& keep_writing) override {
    return work_->WriteCheckpoint(keep_writing);
  }
  absl::StatusOr<v1::Job> Finish(const KeepWriting& keep_writing) override { return work_->Finish(keep_writing); }

 private:
  const std::unique_ptr<JobWork> work_;
  std::atomic<int64_t>* const first_step_;  // negative before
};

DurableJobManager::Options WithFirstStepIn(std::atomic<int64_t>* first_step) {
  DurableJobManager::Options options;
  options.make_work = [=](const v1::Job& job, const JobParts& parts) -> absl::StatusOr<std::unique_ptr<JobWork>> {
    auto work = MakeJobWork(job, parts);
    if (!work.ok()) return work;
    return std::make_unique<WatchedStart>(*std::move(work), first_step);
  };
  return options;
}

DurableJobManager::Options Held(int checkpoints, Notification* written) {
  DurableJobManager::Options options;
  options.checkpoint_interval = absl::ZeroDuration();
  options.make_work = [=](const v1::Job& job, const JobParts& parts) -> absl::StatusOr<std::unique_ptr<JobWork>> {
    auto work = MakeJobWork(job, parts);
    if (!work.ok()) return work;
    return std::make_unique<HeldWork>(*std::move(work), checkpoints, written);
  };
  return options;
}

class DurableJobManagerTest : public testing::Test {
 protected:
  void SetUp() override { ASSERT_NE(TinyRegistry(), nullptr); }

  // Leaves a job as a crash after so many checkpoints does; its name.
  std::string Crash(int checkpoints) {
    Notification written;
    ManagerRig rig(folder_.path(), Held(checkpoints, &written));
    std::string name = rig.Submit(TinyTraining(kSteps)).name();
    written.Wait();
    rig.DestroyManager();
    const auto left = rig.store().Get(name);
    EXPECT_OK(left);
    EXPECT_EQ(left->state(), v1::JOB_STATE_RUNNING);
    rig.executor().Stop();
    return name;
  }
  std::vector<std::string> CheckpointsOf(const std::string& job) const {
    return CheckpointFiles(folder_ / job).NewestFirst().value_or(std::vector<std::string>());
  }

  TemporaryFolder folder_;
};

TEST_F(DurableJobManagerTest, AJobMakesBitForBitWhatItsTrainerMakes) {
  ManagerRig rig(folder_.path());
  const v1::Job submitted = rig.Submit(TinyTraining(kSteps));
  const v1::Job job = rig.WaitForEnd(submitted.name());
  ExpectWeights(rig, job, TrainDirectly(rig.executor(), kSteps));
  ExpectWholeHistory(rig, job);
  EXPECT_EQ(job.progress().done(), kSteps);
  EXPECT_EQ(job.attempt(), 1);
  EXPECT_GT(job.metrics().count("loss"), 0u);
}

TEST_F(DurableJobManagerTest, AQueuedJobIsCancelledAtOnce) {
  ManagerRig rig(folder_.path());
  const std::string running = rig.Submit(TinyTraining(kEndless)).name();
  rig.WaitUntil(running, HasProgress);
  const v1::Job queued = rig.Submit(TinyTraining(kSteps));
  EXPECT_EQ(queued.state(), v1::JOB_STATE_QUEUED);
  EXPECT_EQ(queued.queue_position(), 0);
  int calls = 0;
  const auto subscription = rig.manager().Watch(queued.name(), [&](const v1::Job& job) {
    ++calls;
    EXPECT_EQ(job.state(), v1::JOB_STATE_CANCELLED);
  });
  ASSERT_OK_AND_ASSIGN(const v1::Job job, rig.manager().Cancel(queued.name()));
  EXPECT_EQ(job.state(), v1::JOB_STATE_CANCELLED);
  EXPECT_EQ(calls, 1);
}

TEST_F(DurableJobManagerTest, ARunningJobIsCancelledAndTheNextOneStarts) {
  ManagerRig rig(folder_.path());
  const std::string running = rig.Submit(TinyTraining(kEndless)).name();
  const std::string queued = rig.Submit(TinyTraining(kSteps)).name();
  rig.WaitUntil(running, HasProgress);
  ASSERT_OK(rig.manager().Cancel(running));
  const v1::Job job = rig.WaitForEnd(running);
  EXPECT_EQ(job.state(), v1::JOB_STATE_CANCELLED);
  EXPECT_GT(job.progress().done(), 0);
  EXPECT_EQ(rig.WaitForEnd(queued).state(), v1::JOB_STATE_SUCCEEDED);
  EXPECT_THAT(rig.manager().Cancel(queued),
              IsError(absl::StatusCode::kFailedPrecondition, reason::kJobAlreadyFinished));
}

TEST_F(DurableJobManagerTest, AJobCancelledBetweenItsClaimAndItsStartIsCancelled) {
  DurableJobManager::Options options;
  options.make_work = [](const v1::Job& job, const JobParts& parts) {
    EXPECT_OK(parts.store->Cancel(job.name(), parts.clock->Now()));
    return MakeJobWork(job, parts);
  };
  ManagerRig rig(folder_.path(), options);
  const std::string name = rig.Submit(TinyTraining(kEndless)).name();
  EXPECT_EQ(rig.WaitForEnd(name).state(), v1::JOB_STATE_CANCELLED);
}

TEST_F(DurableJobManagerTest, AJobThatDivergesFailsWithItsReason) {
  ManagerRig rig(folder_.path());
  v1::Job spec = TinyTraining(kSteps);
  spec.mutable_train_midcoder()->set_lr(1e38);  // beyond float32 when it is applied
  spec.mutable_train_midcoder()->set_weight_decay(0);
  const v1::Job job = rig.WaitForEnd(rig.Submit(spec).name());
  EXPECT_EQ(job.state(), v1::JOB_STATE_FAILED);
  EXPECT_EQ(ReasonOfJob(job), reason::kTrainingDiverged);
}

TEST_F(DurableJobManagerTest, AJobWhoseCorpusIsGoneFailsWithItsReason) {
  ManagerRig rig(folder_.path());
  v1::Job spec = TinyTraining(kSteps);
  spec.mutable_train_midcoder()->set_corpus("corpora/gone");
  const v1::Job job = rig.WaitForEnd(rig.Submit(spec).name());
  EXPECT_EQ(job.state(), v1::JOB_STATE_FAILED);
  EXPECT_EQ(ReasonOfJob(job), reason::kCorpusNotFound);
}

TEST_F(DurableJobManagerTest, AJobGoesOnFromItsCheckpointAfterACrashAndEndsWithTheSameBits) {
  const std::string name = Crash(2);
  EXPECT_THAT(CheckpointsOf(name), SizeIs(2));
  std::atomic<int64_t> first_step = -1;
  ManagerRig rig(folder_.path(), WithFirstStepIn(&first_step));
  const v1::Job job = rig.WaitForEnd(name);
  EXPECT_EQ(first_step, 6);
  EXPECT_EQ(job.attempt(), 2);
  ExpectWeights(rig, job, TrainDirectly(rig.executor(), kSteps));
  ExpectWholeHistory(rig, job);
}

TEST_F(DurableJobManagerTest, ADamagedCheckpointIsPassedOverForTheOneBefore) {
  const std::string name = Crash(2);
  const std::vector<std::string> checkpoints = CheckpointsOf(name);
  ASSERT_THAT(checkpoints, SizeIs(2));
  std::filesystem::resize_file(checkpoints[0], std::filesystem::file_size(checkpoints[0]) / 2);
  std::atomic<int64_t> first_step = -1;
  ManagerRig rig(folder_.path(), WithFirstStepIn(&first_step));
  const v1::Job job = rig.WaitForEnd(name);
  EXPECT_EQ(first_step, 3);
  ExpectWeights(rig, job, TrainDirectly(rig.executor(), kSteps));
  ExpectWholeHistory(rig, job);
}

// A disk that cannot be read for a while must not cost the work of hours.
TEST_F(DurableJobManagerTest, ACheckpointThatCannotBeReadFailsTheJobAndStays) {
  const std::string name = Crash(2);
  const std::vector<std::string> checkpoints = CheckpointsOf(name);
  ASSERT_THAT(checkpoints, SizeIs(2));
  const std::string history = FileContent(folder_ / name + "/history.bin");
  const std::string elsewhere = folder_ / "elsewhere";
  std::filesystem::rename(checkpoints[0], elsewhere);
  std::filesystem::create_symlink(checkpoints[0], checkpoints[0]);  // to itself
  {
    ManagerRig rig(folder_.path());
    const v1::Job job = rig.WaitForEnd(name);
    EXPECT_EQ(job.state(), v1::JOB_STATE_FAILED);
    EXPECT_EQ(ReasonOfJob(job), reason::kFileNotFound);
  }
  std::filesystem::rename(elsewhere, checkpoints[0]);
  EXPECT_EQ(CheckpointsOf(name), checkpoints);
  EXPECT_OK(SafetensorsFile::Open(checkpoints[1]));
  EXPECT_EQ(FileContent(folder_ / name + "/history.bin"), history);
}

TEST_F(DurableJobManagerTest, AHistoryThatCannotBeCutFailsTheJobAndItsCheckpointsStay) {
  const std::string name = Crash(2);
  const std::vector<std::string> checkpoints = CheckpointsOf(name);
  WriteFile(folder_ / name + "/history.bin", "this is no history at all");
  ManagerRig rig(folder_.path());
  const v1::Job job = rig.WaitForEnd(name);
  EXPECT_EQ(job.state(), v1::JOB_STATE_FAILED);
  EXPECT_EQ(ReasonOfJob(job), reason::kFileCorrupt);
  EXPECT_EQ(CheckpointsOf(name), checkpoints);
}

TEST_F(DurableJobManagerTest, AJobWhoseCorpusBecameAnotherFailsWithItsReasonAndKeepsItsCheckpoints) {
  const std::string name = Crash(2);
  const std::vector<std::string> checkpoints = CheckpointsOf(name);
  std::string other = TinyCorpus();
  other[other.size() - 4] = static_cast<char>(other[other.size() - 4] ^ 1);
  const std::unique_ptr<ModelRegistry> registry = LoadTinyRegistry(other);
  ASSERT_NE(registry, nullptr);
  ManagerRig rig(folder_.path(), {}, nullptr, registry.get());
  const v1::Job job = rig.WaitForEnd(name);
  EXPECT_EQ(job.state(), v1::JOB_STATE_FAILED);
  EXPECT_EQ(ReasonOfJob(job), reason::kInputChanged);
  EXPECT_EQ(CheckpointsOf(name), checkpoints);
}

TEST_F(DurableJobManagerTest, StopWritesACheckpointAndGivesTheJobBack) {
  std::string name;
  {
    ManagerRig rig(folder_.path());
    name = rig.Submit(TinyTraining(kEndless)).name();
    rig.WaitUntil(name, HasProgress);
    rig.manager().Stop(absl::InfiniteFuture());
    EXPECT_EQ(rig.Get(name).state(), v1::JOB_STATE_QUEUED);
    EXPECT_THAT(rig.manager().Submit(TinyTraining(1), nullptr),
                IsError(absl::StatusCode::kUnavailable, reason::kShuttingDown));
  }
  EXPECT_THAT(CheckpointsOf(name), SizeIs(1));
  ManagerRig rig(folder_.path());
  EXPECT_EQ(rig.WaitUntil(name, HasProgress).attempt(), 2);
}

TEST_F(DurableJobManagerTest, StopDuringACheckpointDoesNotMissTheJob) {
  DurableJobManager::Options options;
  options.checkpoint_interval = absl::ZeroDuration();
  ManagerRig rig(folder_.path(), options);
  const std::string name = rig.Submit(TinyTraining(kEndless)).name();
  rig.WaitUntil(name, HasProgress);
  rig.manager().Stop(absl::InfiniteFuture());
  EXPECT_EQ(rig.Get(name).state(), v1::JOB_STATE_QUEUED);
}

TEST_F(DurableJobManagerTest, AnEvaluationGivesFigures) {
  ManagerRig rig(folder_.path());
  const v1::Job trained = rig.WaitForEnd(rig.Submit(TinyTraining(kSteps)).name());
  ASSERT_EQ(trained.state(), v1::JOB_STATE_SUCCEEDED);
  ASSERT_OK_AND_ASSIGN(const v1::Midcoder midcoder, rig.midcoders().Get(trained.trained_midcoders().midcoders(0)));
  v1::MidcoderEvaluationSpec spec;
  spec.set_midcoder(midcoder.name());
  spec.set_tokens(512);
  v1::Job submitted;
  ASSERT_OK_AND_ASSIGN(*submitted.mutable_evaluate_midcoder(), ResolveEvaluationSpec(*TinyRegistry(), midcoder, spec));
  const v1::Job job = rig.WaitForEnd(rig.Submit(submitted).name());
  ASSERT_EQ(job.state(), v1::JOB_STATE_SUCCEEDED) << job.error().message();
  EXPECT_EQ(job.evaluation().midcoder(), midcoder.name());
  EXPECT_TRUE(job.evaluation().on_training_tokens());
  EXPECT_GE(job.evaluation().tokens(), 512);
  EXPECT_GT(job.evaluation().metrics().count("ce_midcoder"), 0u);
}

TEST_F(DurableJobManagerTest, ARequestDuringTrainingIsAnsweredWithinTwoSlices) {
  ManagerRig rig(folder_.path());
  const std::string name = rig.Submit(TinyTraining(kEndless)).name();
  rig.WaitUntil(name, HasProgress);
  DeviceExecutor& executor = rig.executor();
  for (int i = 0; i < 20; ++i) {
    int64_t before = 0, at_answer = 0;
    Notification answered;
    // From the device's own thread: no slice runs between the look and the request.
    ASSERT_OK(executor.RunAndWait([&] {
      before = executor.slices_run();
      DeviceRequest request;
      request.run = [&](const absl::Status&) {
        at_answer = executor.slices_run();
        answered.Notify();
      };
      return executor.Submit(std::move(request));
    }));
    answered.Wait();
    EXPECT_LE(at_answer - before, 2);
  }
}

TEST_F(DurableJobManagerTest, DeletingAJobThatEndedRemovesItsFiles) {
  ManagerRig rig(folder_.path());
  const std::string name = rig.Submit(TinyTraining(kEndless)).name();
  rig.WaitUntil(name, HasProgress);
  EXPECT_THAT(rig.manager().Delete(name), IsError(absl::StatusCode::kFailedPrecondition, reason::kJobNotFinished));
  ASSERT_OK(rig.manager().Cancel(name));
  rig.WaitForEnd(name);
  ASSERT_OK(rig.manager().Delete(name));
  EXPECT_FALSE(std::filesystem::exists(folder_ / name));
  EXPECT_THAT(rig.manager().Get(name), IsError(absl::StatusCode::kNotFound, reason::kJobNotFound));
}

TEST_F(DurableJobManagerTest, AListenerIsNotCalledOnceItsSubscriptionHasGone) {
  ManagerRig rig(folder_.path());
  const std::string name = rig.Submit(TinyTraining(kEndless)).name();
  for (int i = 0; i < 50; ++i) {
    auto gone = std::make_shared<std::atomic<bool>>(false);
    auto subscription = rig.manager().Watch(name, [gone](const v1::Job&) { EXPECT_FALSE(*gone); });
    if (i == 0) rig.WaitUntil(name, HasProgress);
    subscription.reset();
    *gone = true;
  }
}

TEST_F(DurableJobManagerTest, ASweepMakesAMidcoderForEachCombination) {
  ManagerRig rig(folder_.path());
  v1::Job job = TinyTraining(2);
  v1::MidcoderGrid* grid = job.mutable_train_midcoder()->mutable_grid();
  grid->add_lr(1e-3);
  grid->add_lr(2e-3);
  grid->add_seed(7);
  grid->add_seed(8);
  const v1::Job done = rig.WaitForEnd(rig.Submit(job).name());
  ASSERT_EQ(done.state(), v1::JOB_STATE_SUCCEEDED) << done.error().message();
  ASSERT_EQ(done.trained_midcoders().midcoders_size(), 4);
  for (int i = 0; i < 4; ++i) {
    ASSERT_OK_AND_ASSIGN(const v1::Midcoder midcoder, rig.midcoders().Get(done.trained_midcoders().midcoders(i)));
    EXPECT_EQ(midcoder.spec().lr(), i < 2 ? 1e-3 : 2e-3);
    EXPECT_EQ(midcoder.spec().seed(), i % 2 == 0 ? 7 : 8);
    EXPECT_FALSE(midcoder.spec().has_grid());
    EXPECT_EQ(midcoder.job_result(), i);
    ASSERT_OK_AND_ASSIGN(const HistoryPage page, rig.midcoders().History(midcoder.name(), 100, ""));
    EXPECT_EQ(page.history.step_size(), 2);
  }
  EXPECT_EQ(done.metrics().count("variant3.loss"), 1);
}

}  // namespace
}  // namespace superpose
