// What jobs that factorize take in memory, and what they and questions to factorizations keep from being deleted and
// unloaded.
#include <algorithm>

#include "server/analysis/direction_rows.h"
#include "server/jobs/job_memory.h"
#include "server/runtime/reasons.h"
#include "tests/server/jobs/factorization_rig.h"

namespace superpose {
namespace {

auto IsInUse() { return IsError(absl::StatusCode::kFailedPrecondition, reason::kResourceInUse); }

class FactorizationJobMemoryTest : public testing::Test {
 protected:
  void SetUp() override { ASSERT_NE(TinyRegistry(), nullptr); }

  // What is in use while such a job is queued.
  void ExpectReads(const v1::Job& job, const std::vector<std::string>& names, bool uses_model) {
    Gate gate(0);
    ManagerRig rig(folder_.path(), Held(&gate));
    const std::string name = rig.Submit(job).name();
    for (const std::string& artifact : names) {
      const absl::Status status = CheckNoJobReads(artifact, &rig.store());
      EXPECT_THAT(status, IsInUse()) << artifact;
      EXPECT_THAT(status, MessageHas(name));
    }
    EXPECT_OK(CheckNoJobReads("factorizations/other", &rig.store()));
    EXPECT_OK(CheckNoJobReads("snapshots/other", &rig.store()));
    const ArtifactStores stores = {&rig.midcoders(), &rig.snapshots()};
    for (const char* resource : {"models/tiny", kTinyTranscoder}) {
      EXPECT_EQ(CheckNoJobUses(resource, &rig.store(), stores).ok(), !uses_model) << resource;
    }
    EXPECT_OK(CheckNoJobUses("models/other", &rig.store(), stores));
    ASSERT_OK(rig.manager().Cancel(name));
    rig.WaitForEnd(name);
    for (const std::string& artifact : names) EXPECT_OK(CheckNoJobReads(artifact, &rig.store()));
  }
  // Whatever the job names need not be there: nothing of it runs.
  static DurableJobManager::Options Held(const Gate* gate) {
    DurableJobManager::Options options = Gated(gate);
    options.caps.max_running = 0;
    return options;
  }

  TemporaryFolder folder_;
};

v1::Job OfOwner() {
  v1::Job job;
  job.set_owner("ada");
  return job;
}

TEST_F(FactorizationJobMemoryTest, AJobTakesWhatItsSpecsEstimateSays) {
  ManagerRig rig(folder_.path());
  JobParts parts;
  parts.snapshots = &rig.snapshots();
  parts.factorizations = &rig.factorizations();
  parts.registry = TinyRegistry();
  const v1::Job job = TinyFactorization(rig);
  ASSERT_OK_AND_ASSIGN(const MemoryEstimate estimate, EstimateJobMemory(job, parts));
  const MemoryEstimate of_run = EstimateFactorizationRun(FactorizationRunConfigOf(job.factorize_decoders()), 200, 32);
  v1::DirectionSource directions = job.factorize_decoders().directions();
  ASSERT_OK_AND_ASSIGN(const DirectionShape shape, ResolveDirections(SourcesOf(parts), &directions));
  EXPECT_EQ(estimate.peak_bytes, std::max(of_run.peak_bytes, 200 * 32 * 4 + shape.reading_bytes));
  EXPECT_EQ(estimate.checkpoint_bytes, of_run.checkpoint_bytes);
}

TEST_F(FactorizationJobMemoryTest, OneThatCanNeverFitFails) {
  MemoryBudget budget(1000);
  ManagerRig rig(folder_.path(), {}, nullptr, TinyRegistry(), &budget);
  const v1::Job job = rig.WaitForEnd(rig.Submit(TinyFactorization(rig)).name());
  EXPECT_EQ(ReasonOfJob(job), reason::kMemoryExceeded);
}

TEST_F(FactorizationJobMemoryTest, AFactorizationReadsItsDirectionsAndItsStart) {
  v1::Job job = OfOwner();
  v1::FactorizationSpec* spec = job.mutable_factorize_decoders();
  spec->mutable_directions()->set_transcoder(kTinyTranscoder);
  ExpectReads(job, {}, /*uses_model=*/true);
  spec->mutable_directions()->set_snapshot("snapshots/s");
  spec->set_start("factorizations/f");
  ExpectReads(job, {"snapshots/s", "factorizations/f"}, /*uses_model=*/true);
}

TEST_F(FactorizationJobMemoryTest, AQuestionToDirectionsReadsTheirSource) {
  v1::Job job = OfOwner();
  v1::DirectionSource* directions = job.mutable_analyze_snapshot()->mutable_spectrum()->mutable_directions();
  directions->set_factorization("factorizations/f");
  ExpectReads(job, {"factorizations/f"}, /*uses_model=*/false);
  directions->Clear();
  directions->set_transcoder(kTinyTranscoder);
  directions->set_snapshot("snapshots/s");
  ExpectReads(job, {"snapshots/s"}, /*uses_model=*/true);
}

TEST_F(FactorizationJobMemoryTest, AQuestionToFactorizationsReadsThem) {
  v1::Job job = OfOwner();
  v1::AnalysisSpec* spec = job.mutable_analyze_snapshot();
  spec->mutable_factors_of_decoder()->set_factorization("factorizations/f");
  ExpectReads(job, {"factorizations/f"}, /*uses_model=*/false);
  spec->mutable_decoders_of_factor()->set_factorization("factorizations/f");
  ExpectReads(job, {"factorizations/f"}, /*uses_model=*/false);
  spec->mutable_shared_factors()->set_factorization("factorizations/f");
  ExpectReads(job, {"factorizations/f"}, /*uses_model=*/false);
  spec->mutable_factor_match()->set_factorization("factorizations/f");
  spec->mutable_factor_match()->set_other("factorizations/g");
  ExpectReads(job, {"factorizations/f", "factorizations/g"}, /*uses_model=*/false);
}

}  // namespace
}  // namespace superpose
