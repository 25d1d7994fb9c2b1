// Questions to snapshots that jobs answer.
#include "server/jobs/analysis_work.h"

#include <filesystem>

#include "server/jobs/sweep.h"
#include "server/runtime/reasons.h"
#include "tests/server/jobs/collection_rig.h"

namespace superpose {
namespace {

namespace fs = std::filesystem;

class AnalysisWorkTest : public testing::Test {
 protected:
  void SetUp() override { ASSERT_NE(TinyRegistry(), nullptr); }

  static v1::Job Pairs(const std::string& snapshot) {
    v1::Job job;
    job.set_owner("ada");
    v1::AnalysisSpec& spec = *job.mutable_analyze_snapshot();
    spec.set_snapshot(snapshot);
    spec.mutable_pairs()->set_quantity(v1::PAIR_QUANTITY_JOINT);
    return job;
  }
  // What the same question is answered at once.
  static StoredAnalysis::Answer AnswerDirectly(ManagerRig& rig, const v1::AnalysisSpec& spec) {
    StoredAnalysis::Answer answer;
    EXPECT_OK(rig.executor().RunAndWait([&]() -> absl::Status {
      auto analysis = StoredAnalysis::Open(spec, {TinyRegistry(), &rig.snapshots(), &rig.factorizations()});
      if (!analysis.ok()) return analysis.status();
      absl::StatusOr<bool> done = false;
      while (done.ok() && !*done) done = (*analysis)->RunUnit();
      if (!done.ok()) return done.status();
      auto taken = (*analysis)->Take();
      if (!taken.ok()) return taken.status();
      answer = *std::move(taken);
      return absl::OkStatus();
    }));
    return answer;
  }
  // A snapshot, and a job that has answered a question to it.
  void Answer() {
    ManagerRig rig(folder_.path());
    snapshot_ = Collect(rig, TinyCollection()).name();
    job_ = rig.WaitForEnd(rig.Submit(Pairs(snapshot_)).name());
    ASSERT_EQ(job_.state(), v1::JOB_STATE_SUCCEEDED) << job_.error().message();
  }
  std::string AnswerFile() const { return folder_ / job_.name() + "/" + AnalysisWork::kAnswerFile; }

  TemporaryFolder folder_;
  std::string snapshot_;
  v1::Job job_;
};

TEST_F(AnalysisWorkTest, ItsTensorsAreThoseOfAnAnswerAtOnce) {
  Answer();
  ManagerRig rig(folder_.path());
  const StoredAnalysis::Answer wanted = AnswerDirectly(rig, Pairs(snapshot_).analyze_snapshot());
  ASSERT_OK_AND_ASSIGN(const SafetensorsFile file, OpenAnswer(rig.folder(), &rig.store(), job_.name()));
  ExpectSame(file.tensors(), wanted.tensors);
  EXPECT_TRUE(job_.analysis().tensors_are_stored());
  v1::AnalysisResult inline_result = wanted.result;
  inline_result.set_tensors_are_stored(true);
  EXPECT_EQ(job_.analysis().SerializeAsString(), inline_result.SerializeAsString());
  EXPECT_EQ(job_.analysis().spec().pairs().min_count(), 1) << "defaults are filled in";
  EXPECT_EQ(job_.analysis().tokens(), kAllTokens);
  const TensorMap sums = TensorsOf(rig, snapshot_);
  const at::Tensor values = file.tensors().at("values"), counts = sums.at("act_counts");
  ASSERT_EQ(values.sizes(), at::IntArrayRef({256, 256}));
  for (const int64_t feature : {0, 100, 255}) {
    const auto count = counts[feature].item<int64_t>();
    if (count == 0) continue;
    EXPECT_DOUBLE_EQ(values[feature][feature].item<double>(), static_cast<double>(count) / kAllTokens) << feature;
  }
}

TEST_F(AnalysisWorkTest, TheAnswerSurvivesARestartAndGoesWithItsJob) {
  Answer();
  {
    ASSERT_OK_AND_ASSIGN(const auto folder, DataFolder::Open(folder_.path()));
    ASSERT_OK_AND_ASSIGN(const auto database, Database::Open(folder->database_path()));
    ASSERT_OK(Sweep(*folder, database.get()));
  }
  EXPECT_TRUE(fs::exists(AnswerFile()));
  ManagerRig rig(folder_.path());
  EXPECT_OK(OpenAnswer(rig.folder(), &rig.store(), job_.name()));
  ASSERT_OK(rig.manager().Delete(job_.name()));
  EXPECT_FALSE(fs::exists(folder_ / job_.name()));
  EXPECT_THAT(OpenAnswer(rig.folder(), &rig.store(), job_.name()),
              IsError(absl::StatusCode::kNotFound, reason::kJobNotFound));
}

TEST_F(AnalysisWorkTest, JobsThatAnsweredNothingHaveNoTensors) {
  ManagerRig rig(folder_.path());
  const std::string collection = Collect(rig, TinyCollection()).job();
  EXPECT_THAT(OpenAnswer(rig.folder(), &rig.store(), collection),
              IsError(absl::StatusCode::kNotFound, reason::kArtifactNotFound));
  const v1::Job failed = rig.WaitForEnd(rig.Submit(Pairs("snapshots/gone")).name());
  EXPECT_EQ(ReasonOfJob(failed), reason::kSnapshotNotFound);
  EXPECT_THAT(OpenAnswer(rig.folder(), &rig.store(), failed.name()),
              IsError(absl::StatusCode::kNotFound, reason::kArtifactNotFound));
  EXPECT_THAT(OpenAnswer(rig.folder(), &rig.store(), "jobs/.."),
              IsError(absl::StatusCode::kNotFound, reason::kJobNotFound));
}

TEST_F(AnalysisWorkTest, AJobKilledBeforeItsAnswerBeginsAnew) {
  std::string name;
  Gate gate(0);  // before the first unit
  {
    ManagerRig rig(folder_.path());
    snapshot_ = Collect(rig, TinyCollection()).name();
  }
  {
    ManagerRig rig(folder_.path(), Gated(&gate));
    name = rig.Submit(Pairs(snapshot_)).name();
    rig.WaitUntil(name, [](const v1::Job& job) { return job.state() == v1::JOB_STATE_RUNNING; });
    rig.DestroyManager();
    rig.executor().Stop();
  }
  ManagerRig rig(folder_.path());
  const v1::Job job = rig.WaitForEnd(name);
  ASSERT_EQ(job.state(), v1::JOB_STATE_SUCCEEDED) << job.error().message();
  EXPECT_EQ(job.attempt(), 2);
  EXPECT_OK(OpenAnswer(rig.folder(), &rig.store(), name));
}

}  // namespace
}  // namespace superpose
