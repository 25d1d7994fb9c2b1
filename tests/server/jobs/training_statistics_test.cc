// Trainings that collect statistics while their parameters move.
#include "lib/tensor_io/content_hash.h"
#include "server/jobs/training_work.h"
#include "server/runtime/reasons.h"
#include "tests/server/jobs/collection_rig.h"

namespace superpose {
namespace {

using testing::IsEmpty;
using testing::SizeIs;

constexpr int64_t kSteps = 6;
constexpr int64_t kStepTokens = 8 * 32;

v1::MidcoderTrainingSpec Spec(const std::function<void(v1::StatisticsOptions* options)>& change = nullptr) {
  v1::MidcoderTrainingSpec spec;
  spec.add_transcoders("models/tiny/layers/1");
  spec.set_corpus("corpora/rows");
  spec.set_steps(kSteps);
  spec.set_batch_size(8);
  spec.mutable_statistics()->set_include_bos(true);
  if (change != nullptr) change(spec.mutable_statistics());
  return spec;
}

v1::Job TrainingWithStatistics(const std::function<void(v1::StatisticsOptions* options)>& change = nullptr) {
  v1::Job job;
  auto resolved = ResolveTrainingSpec(*TinyRegistry(), Spec(change));
  EXPECT_OK(resolved);
  if (resolved.ok()) *job.mutable_train_midcoder() = *std::move(resolved);
  job.set_owner("ada");
  return job;
}

// What the library's trainer counts and makes in so many steps.
struct Trained {
  TensorMap sums;
  TensorMap parameters;
};

Trained TrainDirectly(ManagerRig& rig, const v1::Job& job, int64_t steps) {
  Trained trained;
  EXPECT_OK(rig.executor().RunAndWait([&]() -> absl::Status {
    const v1::MidcoderTrainingSpec& spec = job.train_midcoder();
    const auto handles = FindTrainingHandles(*TinyRegistry(), spec);
    if (!handles.ok()) return handles.status();
    auto config = TrainerConfigFor(*handles, spec);
    if (!config.ok()) return config.status();
    TrainerInputs inputs;
    inputs.model = handles->model->model;
    inputs.transcoders = {handles->transcoders[0]->transcoder};
    inputs.sequences = *SequencesFor(*handles->corpus, spec);
    const auto trainer = MidcoderTrainer::Create(inputs, *config);
    if (!trainer.ok()) return trainer.status();
    const auto done =
        (*trainer)->RunSlice(Budget([&] { return (*trainer)->at_step_boundary() && (*trainer)->step() == steps; }));
    for (const auto& [name, tensor] : (*trainer)->statistics(0).Tensors()) trained.sums[name] = tensor.clone();
    for (const auto& [name, tensor] : (*trainer)->midcoder(0).tensors()) trained.parameters[name] = tensor.clone();
    return done.status();
  }));
  return trained;
}

// Sums and parameters together, as a snapshot holds them.
void ExpectHolds(ManagerRig& rig, const v1::Snapshot& snapshot, Trained wanted) {
  wanted.sums.insert(wanted.parameters.begin(), wanted.parameters.end());
  ExpectSame(TensorsOf(rig, snapshot.name()), wanted.sums);
  EXPECT_EQ(snapshot.midcoder_hash(), ContentHash(wanted.parameters));
}

class TrainingStatisticsTest : public testing::Test {
 protected:
  void SetUp() override { ASSERT_NE(TinyRegistry(), nullptr); }

  TemporaryFolder folder_;
};

TEST_F(TrainingStatisticsTest, ASnapshotWithTheMidcodersNameIsLeftAtTheEnd) {
  ManagerRig rig(folder_.path());
  const v1::Job job = TrainingWithStatistics();
  const v1::Job end = rig.WaitForEnd(rig.Submit(job).name());
  ASSERT_EQ(end.state(), v1::JOB_STATE_SUCCEEDED) << end.error().message();
  const Snapshots snapshots = SnapshotsOf(rig, end.name());
  ASSERT_THAT(snapshots, SizeIs(1));
  const v1::Snapshot& snapshot = snapshots[0];
  EXPECT_EQ(snapshot.midcoder(), end.trained_midcoders().midcoders(0));
  ASSERT_OK_AND_ASSIGN(const v1::Midcoder midcoder, rig.midcoders().Get(snapshot.midcoder()));
  EXPECT_EQ(snapshot.midcoder_hash(), midcoder.content_hash());
  EXPECT_TRUE(snapshot.moving_parameters());
  EXPECT_EQ(snapshot.steps().start(), 0);
  EXPECT_EQ(snapshot.steps().stop(), kSteps);
  EXPECT_EQ(snapshot.tokens(), kSteps * kStepTokens);
  EXPECT_THAT(snapshot.sequences(), IsEmpty());
  EXPECT_EQ(snapshot.gate(), v1::GATE_SOURCE_MIDCODER);
  ExpectHolds(rig, snapshot, TrainDirectly(rig, job, kSteps));
  EXPECT_EQ(SnapshotCall(rig, end.name()).Answer()->at(0).name(), snapshot.name());
}

TEST_F(TrainingStatisticsTest, TheTrainingIsBitForBitWhatItIsWithoutThem) {
  ManagerRig rig(folder_.path());
  std::vector<std::string> hashes;
  for (const v1::Job& job : {TrainingWithStatistics(), TinyTraining(kSteps)}) {
    const v1::Job end = rig.WaitForEnd(rig.Submit(job).name());
    ASSERT_EQ(end.state(), v1::JOB_STATE_SUCCEEDED) << end.error().message();
    hashes.push_back(rig.midcoders().Get(end.trained_midcoders().midcoders(0))->content_hash());
  }
  EXPECT_EQ(hashes[0], hashes[1]);
}

TEST_F(TrainingStatisticsTest, ASnapshotInTheMiddleHasTheParametersOfItsStep) {
  Gate gate(3);
  ManagerRig rig(folder_.path(), Gated(&gate));
  const v1::Job job = TrainingWithStatistics();
  const std::string name = rig.Submit(job).name();
  WaitUntilDone(rig, name, 3);
  const SnapshotCall call(rig, name);
  ASSERT_OK(call.Answer());
  gate.Open();
  const v1::Snapshot& snapshot = call.Answer()->front();
  EXPECT_EQ(snapshot.midcoder(), "") << "none is stored yet";
  EXPECT_EQ(snapshot.steps().stop(), 3);
  ExpectHolds(rig, snapshot, TrainDirectly(rig, job, 3));
  rig.WaitForEnd(name);
  ExpectHolds(rig, snapshot, TrainDirectly(rig, job, 3));
}

TEST_F(TrainingStatisticsTest, ATrainingKilledInTheMiddleCountsEveryStepOnce) {
  Gate gate(2);
  const v1::Job job = TrainingWithStatistics([](v1::StatisticsOptions* options) {
    options->set_snapshot_every_tokens(2 * kStepTokens);
    options->set_keep_last(9);
  });
  std::string name;
  {
    ManagerRig rig(folder_.path(), Gated(&gate));
    name = rig.Submit(job).name();
    WaitUntilDone(rig, name, 2);
    rig.manager().Stop(absl::InfiniteFuture());  // with a checkpoint after 2 steps
  }
  gate.OpenUpTo(4);
  {
    ManagerRig rig(folder_.path(), Gated(&gate));
    WaitUntilDone(rig, name, 4);
    ASSERT_OK(SnapshotCall(rig, name).Answer());
    rig.DestroyManager();
    rig.executor().Stop();
  }
  ManagerRig rig(folder_.path());
  const v1::Job end = rig.WaitForEnd(name);
  ASSERT_EQ(end.state(), v1::JOB_STATE_SUCCEEDED) << end.error().message();
  std::map<int64_t, int> automatic;  // by steps
  for (const v1::Snapshot& snapshot : SnapshotsOf(rig, name)) {
    if (snapshot.automatic()) ++automatic[snapshot.steps().stop()];
  }
  EXPECT_THAT(automatic, testing::ElementsAre(testing::Pair(2, 1), testing::Pair(4, 1)));
  ASSERT_OK_AND_ASSIGN(const Snapshots left, rig.snapshots().AtEndOf(name));
  ASSERT_THAT(left, SizeIs(1));
  ExpectHolds(rig, left[0], TrainDirectly(rig, job, kSteps));
}

TEST_F(TrainingStatisticsTest, TogetherWithAGridTheyAreRefused) {
  v1::MidcoderTrainingSpec spec = Spec();
  spec.mutable_grid()->add_lr(1e-3);
  spec.mutable_grid()->add_lr(1e-4);
  EXPECT_THAT(ResolveTrainingSpec(*TinyRegistry(), spec),
              IsError(absl::StatusCode::kInvalidArgument, reason::kConfigInvalid));
  spec.clear_statistics();
  EXPECT_OK(ResolveTrainingSpec(*TinyRegistry(), spec));
}

TEST_F(TrainingStatisticsTest, OptionsThatCannotBeAreRefusedBeforeTheJobIsQueued) {
  const auto resolve = [](const std::function<void(v1::StatisticsOptions*)>& change) {
    return ResolveTrainingSpec(*TinyRegistry(), Spec(change)).status();
  };
  EXPECT_THAT(resolve([](auto* options) { options->mutable_features()->mutable_ids()->add_values(256); }),
              IsError(absl::StatusCode::kInvalidArgument, reason::kFeatureOutOfRange));
  EXPECT_THAT(resolve([](auto* options) { options->mutable_features()->mutable_band(); }),
              IsError(absl::StatusCode::kFailedPrecondition, reason::kFrequenciesMissing));
  EXPECT_THAT(resolve([](auto* options) { options->set_keep_last(0); }),
              IsError(absl::StatusCode::kInvalidArgument, reason::kConfigInvalid));
}

}  // namespace
}  // namespace superpose
