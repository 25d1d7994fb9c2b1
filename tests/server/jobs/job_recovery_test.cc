// What becomes of jobs over crashes, and when what they work on changes.
#include <ATen/ATen.h>
#include <google/rpc/error_details.pb.h>

#include <atomic>
#include <filesystem>
#include <memory>
#include <string>

#include "lib/base/error.h"
#include "server/runtime/reasons.h"
#include "tests/server/jobs/manager_rig.h"
#include "tests/server/jobs/scripted_work.h"

namespace superpose {
namespace {

using testing::SizeIs;

std::string ReasonOfJob(const v1::Job& job) {
  google::rpc::ErrorInfo info;
  for (const auto& detail : job.error().details()) {
    if (detail.UnpackTo(&info)) return info.reason();
  }
  return "";
}

// Says when it runs, and does nothing until it is left.
absl::StatusOr<bool> RunUntilLeft(Notification* running, const Budget& budget) {
  if (!running->HasBeenNotified()) running->Notify();
  while (!budget.Exhausted()) std::this_thread::yield();
  return false;
}

class JobRecoveryTest : public testing::Test {
 protected:
  void SetUp() override { ASSERT_NE(TinyRegistry(), nullptr); }

  // A server that runs the job, submitted now if it has no name yet, and ends as in a crash.
  void Crash(std::string* name, bool after_a_checkpoint = false) {
    Notification running;
    Notification written;
    Script script;
    script.run_slice = [&](const Budget& budget) { return RunUntilLeft(&running, budget); };
    script.write_checkpoint = [&](const KeepWriting&) {
      if (!written.HasBeenNotified()) written.Notify();
      return true;
    };
    DurableJobManager::Options options;
    if (after_a_checkpoint) options.checkpoint_interval = absl::ZeroDuration();
    options.make_work = [&](const v1::Job&, const JobParts&) -> absl::StatusOr<std::unique_ptr<JobWork>> {
      return std::make_unique<ScriptedWork>(script);
    };
    ManagerRig rig(folder_.path(), options);
    if (name->empty()) *name = rig.Submit(TinyTraining(1)).name();
    running.Wait();
    if (after_a_checkpoint) written.Wait();
    rig.DestroyManager();
    rig.executor().Stop();
  }

  TemporaryFolder folder_;
};

TEST_F(JobRecoveryTest, AJobThatTheServerDiedInThreeTimesIsNotTriedAgain) {
  std::string name;
  for (int i = 0; i < 3; ++i) Crash(&name);
  WriteFile(folder_ / name + "/checkpoint-000000000001.safetensors", "tensors");
  ManagerRig rig(folder_.path());
  const v1::Job job = rig.WaitForEnd(name);
  EXPECT_EQ(job.state(), v1::JOB_STATE_FAILED);
  EXPECT_EQ(ReasonOfJob(job), reason::kJobCrashed);
  EXPECT_TRUE(std::filesystem::exists(folder_ / name + "/checkpoint-000000000001.safetensors"));
  EXPECT_EQ(rig.WaitForEnd(rig.Submit(TinyTraining(1)).name()).state(), v1::JOB_STATE_SUCCEEDED);
}

TEST_F(JobRecoveryTest, CrashesBeforeACheckpointDoNotCountAfterIt) {
  std::string name;
  Crash(&name);
  Crash(&name);
  Crash(&name, /*after_a_checkpoint=*/true);
  ManagerRig rig(folder_.path());
  EXPECT_EQ(rig.WaitForEnd(name).state(), v1::JOB_STATE_SUCCEEDED);
}

TEST_F(JobRecoveryTest, FilesOfAJobThatWasCancelledBeforeACrashAreRemoved) {
  std::string name;
  Crash(&name);
  WriteFile(folder_ / name + "/checkpoint-000000000001.safetensors", "tensors");
  {
    ASSERT_OK_AND_ASSIGN(const auto database, Database::Open(folder_ / "superpose.db"));
    ASSERT_OK(SqliteJobStore(database.get()).Cancel(name, absl::UnixEpoch()));
  }
  ManagerRig rig(folder_.path());
  EXPECT_EQ(rig.Get(name).state(), v1::JOB_STATE_CANCELLED);
  EXPECT_FALSE(std::filesystem::exists(folder_ / name));
}

TEST_F(JobRecoveryTest, AMidcoderThatTheServerDiedAfterIsNotStoredTwice) {
  std::string name;
  Crash(&name);
  ManagerRig rig(folder_.path());
  const v1::Job job = rig.WaitForEnd(name);
  ASSERT_EQ(job.state(), v1::JOB_STATE_SUCCEEDED) << job.error().message();
  ASSERT_OK_AND_ASSIGN(const v1::Midcoder midcoder, rig.midcoders().Get(job.trained_midcoders().midcoders(0)));
  ASSERT_OK_AND_ASSIGN(const SafetensorsFile file, rig.midcoders().Open(midcoder.name()));
  ASSERT_OK_AND_ASSIGN(const v1::Midcoder again, rig.midcoders().Add(midcoder, file.tensors(), {}, absl::Now()));
  EXPECT_EQ(again.name(), midcoder.name());
  ASSERT_OK_AND_ASSIGN(const MidcoderPage page, rig.midcoders().List(10, ""));
  EXPECT_THAT(page.items, SizeIs(1));
}

// Takes `body` before the work's Finish.
class BeforeFinish final : public JobWork {
 public:
  BeforeFinish(std::unique_ptr<JobWork> work, std::function<void()> body)
      : work_(std::move(work)), body_(std::move(body)) {}

  absl::StatusOr<bool> RunSlice(const Budget& budget) override { return work_->RunSlice(budget); }
  bool AtBoundary() const override { return work_->AtBoundary(); }
  WorkReport Report() const override { return work_->Report(); }
  absl::StatusOr<bool> WriteCheckpoint(const KeepWriting& keep_writing) override {
    return work_->WriteCheckpoint(keep_writing);
  }
  absl::StatusOr<v1::Job> Finish(const KeepWriting& keep_writing) override {
    body_();
    return work_->Finish(keep_writing);
  }

 private:
  const std::unique_ptr<JobWork> work_;
  const std::function<void()> body_;
};

TEST_F(JobRecoveryTest, AJobEndsWithWhatItBeganWithWhateverIsUnloaded) {
  const std::unique_ptr<ModelRegistry> registry = LoadTinyRegistry();
  ASSERT_NE(registry, nullptr);
  DurableJobManager::Options options;
  options.make_work = [&](const v1::Job& job, const JobParts& parts) -> absl::StatusOr<std::unique_ptr<JobWork>> {
    auto work = MakeJobWork(job, parts);
    if (!work.ok()) return work;
    return std::make_unique<BeforeFinish>(*std::move(work), [&] {
      EXPECT_OK(registry->RemoveCorpus("corpora/rows"));
      EXPECT_OK(registry->RemoveModel("models/tiny"));
    });
  };
  ManagerRig rig(folder_.path(), options, nullptr, registry.get());
  const v1::Job job = rig.WaitForEnd(rig.Submit(TinyTraining(2)).name());
  ASSERT_EQ(job.state(), v1::JOB_STATE_SUCCEEDED) << job.error().message();
  ASSERT_OK_AND_ASSIGN(const v1::Midcoder midcoder, rig.midcoders().Get(job.trained_midcoders().midcoders(0)));
  const LoadedCorpus& corpus = **TinyRegistry()->FindCorpus("corpora/rows");
  EXPECT_EQ(midcoder.provenance().model(), "models/tiny");
  EXPECT_EQ(midcoder.provenance().corpus_hash(), corpus.corpus->content_hash());
}

class EvaluationOnTest : public JobRecoveryTest {
 protected:
  // A midcoder whose provenance `change` has changed.
  v1::Midcoder TrainAndChange(ManagerRig& rig, const std::function<void(v1::Midcoder*)>& change) {
    const v1::Job job = rig.WaitForEnd(rig.Submit(TinyTraining(2)).name());
    v1::Midcoder midcoder = *rig.midcoders().Get(job.trained_midcoders().midcoders(0));
    const SafetensorsFile file = *rig.midcoders().Open(midcoder.name());
    midcoder.clear_job();
    change(&midcoder);
    return *rig.midcoders().Add(midcoder, file.tensors(), {}, absl::Now());
  }
  static v1::MidcoderEvaluationSpec SpecFor(const v1::Midcoder& midcoder) {
    v1::MidcoderEvaluationSpec spec;
    spec.set_midcoder(midcoder.name());
    spec.set_corpus("corpora/rows");
    spec.set_tokens(64);
    spec.set_batch_size(2);
    spec.set_context_length(32);
    spec.set_split(v1::CORPUS_SPLIT_ALL);
    return spec;
  }
  v1::Job Evaluate(ManagerRig& rig, const v1::Midcoder& midcoder) {
    v1::Job job;
    *job.mutable_evaluate_midcoder() = SpecFor(midcoder);
    return rig.WaitForEnd(rig.Submit(job).name());
  }
};

TEST_F(EvaluationOnTest, AnotherModelOrTranscoderIsRefused) {
  ManagerRig rig(folder_.path());
  const auto changes = {
      +[](v1::Midcoder* midcoder) { midcoder->mutable_provenance()->set_model_hash("another"); },
      +[](v1::Midcoder* midcoder) { midcoder->mutable_provenance()->set_transcoder_hash("another"); }};
  for (const auto& change : changes) {
    const v1::Midcoder midcoder = TrainAndChange(rig, change);
    EXPECT_THAT(ResolveEvaluationSpec(*TinyRegistry(), midcoder, SpecFor(midcoder)),
                IsError(absl::StatusCode::kFailedPrecondition, reason::kInputChanged));
    const v1::Job job = Evaluate(rig, midcoder);
    EXPECT_EQ(job.state(), v1::JOB_STATE_FAILED);
    EXPECT_EQ(ReasonOfJob(job), reason::kInputChanged);
  }
}

TEST_F(EvaluationOnTest, TokensOfAnotherCorpusOfTheSameNameAreNotThoseOfTraining) {
  ManagerRig rig(folder_.path());
  const auto same = [](v1::Midcoder*) {};
  const auto other = [](v1::Midcoder* midcoder) { midcoder->mutable_provenance()->set_corpus_hash("another"); };
  EXPECT_TRUE(Evaluate(rig, TrainAndChange(rig, same)).evaluation().on_training_tokens());
  const v1::Job job = Evaluate(rig, TrainAndChange(rig, other));
  EXPECT_EQ(job.state(), v1::JOB_STATE_SUCCEEDED) << job.error().message();
  EXPECT_FALSE(job.evaluation().on_training_tokens());
}

}  // namespace
}  // namespace superpose
