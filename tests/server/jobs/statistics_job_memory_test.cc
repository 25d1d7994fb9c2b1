// What jobs about statistics take in memory, and what they keep from being deleted and unloaded.
#include "server/jobs/job_memory.h"
#include "server/jobs/snapshot_comparison.h"
#include "server/runtime/reasons.h"
#include "server/runtime/statistics_memory.h"
#include "tests/server/jobs/collection_rig.h"

namespace superpose {
namespace {

constexpr auto kPrecondition = absl::StatusCode::kFailedPrecondition;

class StatisticsJobMemoryTest : public testing::Test {
 protected:
  void SetUp() override { ASSERT_NE(TinyRegistry(), nullptr); }

  static JobParts Parts(ManagerRig& rig) {
    JobParts parts;
    parts.midcoders = &rig.midcoders();
    parts.snapshots = &rig.snapshots();
    parts.registry = TinyRegistry();
    return parts;
  }
  static v1::Job Analysis(const std::string& snapshot) {
    v1::Job job;
    job.set_owner("ada");
    job.mutable_analyze_snapshot()->set_snapshot(snapshot);
    job.mutable_analyze_snapshot()->mutable_pairs();
    return job;
  }

  TemporaryFolder folder_;
};

TEST_F(StatisticsJobMemoryTest, ACollectionTakesAtLeastItsSums) {
  ManagerRig rig(folder_.path());
  const v1::Job job = TinyCollection();
  int64_t sums = 0;
  const TensorMap tensors = CollectDirectly(rig, job).at(0);
  for (const auto& [name, tensor] : tensors) sums += static_cast<int64_t>(tensor.nbytes());
  ASSERT_OK_AND_ASSIGN(const MemoryEstimate estimate, EstimateJobMemory(job, Parts(rig)));
  EXPECT_GT(estimate.peak_bytes, sums);
  EXPECT_LT(estimate.peak_bytes, 2 * sums + (int64_t{64} << 20));
  ASSERT_OK_AND_ASSIGN(const int64_t bytes, EstimateSnapshotBytes(*TinyRegistry(), {}, job.collect_statistics()));
  EXPECT_EQ(bytes, sums);
}

TEST_F(StatisticsJobMemoryTest, AMergeTakesOneSnapshotAndAnAnalysisItsAnswer) {
  ManagerRig rig(folder_.path());
  std::vector<v1::Snapshot> parts;
  v1::Job merge;
  for (const int64_t first : {0, 8}) {
    parts.push_back(Collect(rig, TinyCollection([first](v1::StatisticsSpec* spec) {
                              spec->set_first_sequence(first);
                              spec->set_tokens(8 * 32);
                            })));
    merge.mutable_merge_snapshots()->add_snapshots(parts.back().name());
  }
  ASSERT_OK_AND_ASSIGN(const MemoryEstimate merging, EstimateJobMemory(merge, Parts(rig)));
  EXPECT_EQ(merging.peak_bytes, BytesOfTensors(parts[0]));
  ASSERT_OK_AND_ASSIGN(const MemoryEstimate analysis, EstimateJobMemory(Analysis(parts[0].name()), Parts(rig)));
  EXPECT_GE(analysis.peak_bytes, 256 * 256 * 8);
  EXPECT_THAT(EstimateJobMemory(Analysis("snapshots/gone"), Parts(rig)),
              IsError(absl::StatusCode::kNotFound, reason::kSnapshotNotFound));
}

TEST_F(StatisticsJobMemoryTest, ACollectionThatCanNeverFitFails) {
  MemoryBudget budget(1000);
  ManagerRig rig(folder_.path(), {}, nullptr, TinyRegistry(), &budget);
  const v1::Job job = rig.WaitForEnd(rig.Submit(TinyCollection()).name());
  EXPECT_EQ(job.state(), v1::JOB_STATE_FAILED);
  EXPECT_EQ(ReasonOfJob(job), reason::kMemoryExceeded);
}

TEST_F(StatisticsJobMemoryTest, SnapshotsThatQueuedAndRunningJobsReadAreInUse) {
  Gate gate;
  gate.Open();
  ManagerRig rig(folder_.path(), Gated(&gate));
  const std::string read = Collect(rig, TinyCollection()).name(), other = Collect(rig, TinyCollection()).name();
  const auto check = [&](const std::string& name) { return CheckNoJobReads(name, &rig.store()); };
  EXPECT_OK(check(read)) << "jobs that have ended read nothing";
  gate.OpenUpTo(0);
  const std::string running = rig.Submit(Analysis(read)).name(), queued = rig.Submit(Analysis(read)).name();
  v1::Job merge;
  merge.set_owner("ada");
  merge.mutable_merge_snapshots()->add_snapshots("snapshots/some");
  merge.mutable_merge_snapshots()->add_snapshots(read);
  const std::string merging = rig.Submit(merge).name();
  EXPECT_THAT(check(read), IsError(kPrecondition, reason::kResourceInUse));
  for (const std::string& name : {running, queued, merging}) EXPECT_THAT(check(read), MessageHas(name));
  EXPECT_OK(check(other));
  const ArtifactStores stores = {&rig.midcoders(), &rig.snapshots()};
  EXPECT_THAT(CheckNoJobUses("models/tiny", &rig.store(), stores), MessageHas(running));
  for (const std::string& name : {merging, queued, running}) ASSERT_OK(rig.manager().Cancel(name));
  for (const std::string& name : {merging, queued, running}) rig.WaitForEnd(name);
  EXPECT_OK(check(read));
  EXPECT_OK(CheckNoJobUses("models/tiny", &rig.store(), stores));
}

TEST_F(StatisticsJobMemoryTest, ACollectionsModelIsInUse) {
  Gate gate;
  ManagerRig rig(folder_.path(), Gated(&gate));
  const std::string name = rig.Submit(TinyCollection()).name();
  const auto check = [&] { return CheckNoJobUses("models/tiny", &rig.store(), {&rig.midcoders(), &rig.snapshots()}); };
  EXPECT_THAT(check(), IsError(kPrecondition, reason::kResourceInUse));
  gate.Open();
  rig.WaitForEnd(name);
  EXPECT_OK(check());
}

}  // namespace
}  // namespace superpose
