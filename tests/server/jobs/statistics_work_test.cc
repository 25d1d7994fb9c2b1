// Jobs that collect statistics, from their submission to their snapshots, over crashes and stops.
#include "server/jobs/statistics_work.h"

#include <filesystem>
#include <map>

#include "server/jobs/checkpoint_files.h"
#include "server/jobs/statement.h"
#include "server/jobs/sweep.h"
#include "server/runtime/reasons.h"
#include "tests/server/jobs/collection_rig.h"

namespace superpose {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

constexpr char kLayer1[] = "models/tiny/transcoders/layer1";

class StatisticsWorkTest : public testing::Test {
 protected:
  void SetUp() override { ASSERT_NE(TinyRegistry(), nullptr); }

  // The manager attends to one request after the other, each together with what is due.
  static void StoreAllThatIsDue(ManagerRig& rig, const std::string& job) {
    EXPECT_OK(SnapshotCall(rig, job).Answer());
    EXPECT_OK(SnapshotCall(rig, job).Answer());
  }
  // Runs the job up to so many tokens, with a checkpoint at `checkpoint` tokens, as a server that crashes then.
  std::string Crash(const v1::Job& job, int64_t checkpoint, int64_t tokens) {
    Gate gate(checkpoint);
    std::string name;
    {
      ManagerRig rig(folder_.path(), Gated(&gate));
      name = rig.Submit(job).name();
      WaitUntilDone(rig, name, checkpoint);
      rig.manager().Stop(absl::InfiniteFuture());  // writes a checkpoint
      rig.DestroyManager();
    }
    EXPECT_THAT(CheckpointFiles(folder_ / name).NewestFirst().value_or(std::vector<std::string>()), Not(IsEmpty()));
    gate.OpenUpTo(tokens);
    ManagerRig rig(folder_.path(), Gated(&gate));
    WaitUntilDone(rig, name, tokens);
    StoreAllThatIsDue(rig, name);
    rig.DestroyManager();
    rig.executor().Stop();
    return name;
  }

  TemporaryFolder folder_;
};

// A second transcoder of the same layer, and one of another.
std::unique_ptr<ModelRegistry> LoadMoreTranscoders() {
  auto registry = LoadTinyRegistry();
  if (registry == nullptr) return nullptr;
  const auto model = registry->FindModel("models/tiny");
  const auto first = registry->FindTranscoder(kLayer1);
  const std::map<std::string, int> names = {{"models/tiny/transcoders/again", 1}, {"models/tiny/transcoders/two", 2}};
  for (const auto& [name, layer] : names) {
    auto more = std::make_shared<LoadedTranscoder>(**first);
    more->name = name;
    more->layer = layer;
    EXPECT_OK(registry->AddTranscoder(**model, more, /*replace=*/false));
  }
  return registry;
}

TEST_F(StatisticsWorkTest, SumsAreThoseOfTheLibrarysCollector) {
  ManagerRig rig(folder_.path());
  const v1::Job job = TinyCollection([](v1::StatisticsSpec* spec) { (*spec->mutable_labels())["run"] = "first"; });
  const v1::Snapshot snapshot = Collect(rig, job);
  ExpectSame(TensorsOf(rig, snapshot.name()), CollectDirectly(rig, job).at(0));
  EXPECT_EQ(snapshot.layer(), 1);
  EXPECT_EQ(snapshot.tokens(), kAllTokens);
  EXPECT_TRUE(snapshot.includes_bos());
  EXPECT_FALSE(snapshot.moving_parameters() || snapshot.automatic() || snapshot.has_feature_ids());
  EXPECT_EQ(snapshot.gate(), v1::GATE_SOURCE_MODEL);
  EXPECT_EQ(snapshot.context_length(), 32);
  EXPECT_EQ(snapshot.split(), v1::CORPUS_SPLIT_ALL);
  ASSERT_THAT(snapshot.sequences(), SizeIs(1));
  EXPECT_EQ(snapshot.sequences(0).start(), 0);
  EXPECT_EQ(snapshot.sequences(0).stop(), 64);
  EXPECT_EQ(snapshot.provenance().transcoder(), kLayer1);
  EXPECT_EQ(snapshot.owner(), "ada");
  EXPECT_EQ(snapshot.labels().at("run"), "first");
  EXPECT_EQ(snapshot.pause_seconds(), 0);
  EXPECT_FALSE(snapshot.content_hash().empty());
}

TEST_F(StatisticsWorkTest, CheckpointsOfAJobThatHasEndedAreGone) {
  ManagerRig rig(folder_.path());
  const v1::Snapshot snapshot = Collect(rig, TinyCollection());
  rig.DestroyManager();
  EXPECT_FALSE(std::filesystem::exists(folder_ / snapshot.job()));
}

TEST_F(StatisticsWorkTest, ItEndsWithItsTokensInWholeBatchesAndBeginsWhereItIsTold) {
  ManagerRig rig(folder_.path());
  const v1::Snapshot snapshot = Collect(rig, TinyCollection([](v1::StatisticsSpec* spec) {
                                          spec->set_first_sequence(10);
                                          spec->set_tokens(2 * kBatchTokens + 5);
                                        }));
  EXPECT_EQ(snapshot.tokens(), 2 * kBatchTokens);
  EXPECT_EQ(snapshot.sequences(0).start(), 10);
  EXPECT_EQ(snapshot.sequences(0).stop(), 18);
}

TEST_F(StatisticsWorkTest, EveryTranscoderHasItsSnapshotThoughTheyShareALayer) {
  const auto registry = LoadMoreTranscoders();
  ASSERT_NE(registry, nullptr);
  ManagerRig rig(folder_.path(), {}, nullptr, registry.get());
  const auto all = [](v1::StatisticsSpec* spec) {
    spec->clear_transcoders();
    for (const char* name : {"two", "again", "layer1"}) {
      spec->add_transcoders(absl::StrCat("models/tiny/transcoders/", name));
    }
    spec->mutable_options()->set_snapshot_every_tokens(8 * kBatchTokens);
  };
  const v1::Job job = TinyCollection(all, {}, *registry);
  const v1::Job end = rig.WaitForEnd(rig.Submit(job).name());
  ASSERT_EQ(end.state(), v1::JOB_STATE_SUCCEEDED) << end.error().message();
  ASSERT_THAT(end.collected_snapshots().snapshots(), SizeIs(3));
  const std::vector<TensorMap> wanted = CollectDirectly(rig, job, kAllTokens, *registry);
  for (int i = 0; i < 3; ++i) {
    ASSERT_OK_AND_ASSIGN(const v1::Snapshot snapshot, rig.snapshots().Get(end.collected_snapshots().snapshots(i)));
    EXPECT_EQ(snapshot.provenance().transcoder(), job.collect_statistics().transcoders(i));
    ExpectSame(TensorsOf(rig, snapshot.name()), wanted[i]);
  }
  EXPECT_THAT(SnapshotsOf(rig, end.name()), SizeIs(6)) << "three in the middle and three at the end";
}

TEST_F(StatisticsWorkTest, OfAMidcoderGatesAreCountedAndParametersKept) {
  ManagerRig rig(folder_.path());
  const v1::Job trained = rig.WaitForEnd(rig.Submit(TinyTraining(3)).name());
  ASSERT_EQ(trained.state(), v1::JOB_STATE_SUCCEEDED) << trained.error().message();
  ASSERT_OK_AND_ASSIGN(const v1::Midcoder midcoder, rig.midcoders().Get(trained.trained_midcoders().midcoders(0)));
  const v1::Snapshot snapshot = Collect(rig, TinyCollection(nullptr, {midcoder}));
  EXPECT_EQ(snapshot.gate(), v1::GATE_SOURCE_MIDCODER);
  EXPECT_EQ(snapshot.midcoder(), midcoder.name());
  EXPECT_EQ(snapshot.midcoder_hash(), midcoder.content_hash());
  const TensorMap tensors = TensorsOf(rig, snapshot.name());
  ASSERT_OK_AND_ASSIGN(const SafetensorsFile weights, rig.midcoders().Open(midcoder.name()));
  for (const auto& [name, tensor] : weights.tensors()) EXPECT_TRUE(at::equal(tensors.at(name), tensor)) << name;
  EXPECT_GT(tensors.at("gate_counts").sum().item<int64_t>(), 0);
  EXPECT_NE(tensors.at("mid_sum").abs().sum().item<double>(), 0);
}

TEST_F(StatisticsWorkTest, AJobKilledInTheMiddleEndsWithTheSameBitsAndOneSnapshot) {
  const v1::Job job = TinyCollection();
  const std::string name = Crash(job, 5 * kBatchTokens, 9 * kBatchTokens);
  ManagerRig rig(folder_.path());
  const v1::Job end = rig.WaitForEnd(name);
  EXPECT_EQ(end.attempt(), 3);
  const v1::Snapshot snapshot = ResultOf(rig, end);
  ExpectSame(TensorsOf(rig, snapshot.name()), CollectDirectly(rig, job).at(0));
  EXPECT_EQ(snapshot.sequences(0).start(), 0);
  EXPECT_EQ(snapshot.sequences(0).stop(), 64);
  EXPECT_THAT(SnapshotsOf(rig, name), SizeIs(3)) << "two that were asked for, and that at the end";
}

TEST_F(StatisticsWorkTest, AJobKilledAfterItsEndWasStoredHasOneSnapshotOfIt) {
  const v1::Job job = TinyCollection();
  std::string name;
  {
    ManagerRig rig(folder_.path());
    name = ResultOf(rig, rig.WaitForEnd(rig.Submit(job).name())).job();
  }
  {
    ASSERT_OK_AND_ASSIGN(const auto database, Database::Open(folder_ / "superpose.db"));
    ASSERT_OK(database->Transact([&](sqlite3* connection) {
      return Statement(connection, "UPDATE jobs SET state = 2, outcome = x'', end_time = NULL WHERE name = ?", name)
          .Run();
    }));
  }
  ManagerRig rig(folder_.path());
  const v1::Snapshot snapshot = ResultOf(rig, rig.WaitForEnd(name));
  EXPECT_THAT(SnapshotsOf(rig, name), SizeIs(1));
  EXPECT_EQ(SnapshotsOf(rig, name)[0].name(), snapshot.name());
}

std::vector<int64_t> TokensOfAutomatic(const Snapshots& snapshots) {
  std::vector<int64_t> tokens;
  for (const v1::Snapshot& snapshot : snapshots) {
    if (snapshot.automatic()) tokens.push_back(snapshot.tokens());
  }
  return tokens;
}

v1::Job WithAutomatic(int64_t every_tokens, int32_t keep_last) {
  return TinyCollection([=](v1::StatisticsSpec* spec) {
    spec->mutable_options()->set_snapshot_every_tokens(every_tokens);
    spec->mutable_options()->set_keep_last(keep_last);
    (*spec->mutable_labels())["run"] = "first";
  });
}

TEST_F(StatisticsWorkTest, SnapshotsAreTakenEverySoManyTokensAndTheLastAreKept) {
  ManagerRig rig(folder_.path());
  // Due at 300, 600, .. tokens: at the ends of batches 3, 5, 8, 10, 12, 15.
  const v1::Job job = WithAutomatic(300, 3);
  const v1::Snapshot last = Collect(rig, job);
  const Snapshots all = SnapshotsOf(rig, last.job());
  EXPECT_THAT(TokensOfAutomatic(all), ElementsAre(15 * kBatchTokens, 12 * kBatchTokens, 10 * kBatchTokens));
  ASSERT_THAT(all, SizeIs(4));
  EXPECT_EQ(all[0].name(), last.name());
  EXPECT_EQ(all[1].labels().at("run"), "first");
  EXPECT_EQ(all[1].sequences(0).stop(), 60);
  EXPECT_GT(all[1].pause_seconds(), 0);
  ExpectSame(TensorsOf(rig, all[1].name()), CollectDirectly(rig, job, 15 * kBatchTokens).at(0));
}

TEST_F(StatisticsWorkTest, ACrashNeitherDoublesNorLosesAutomaticSnapshots) {
  // Due at the ends of batches 2, 4, .. 16; the checkpoint lies at one of them, and the crash behind the next two.
  const v1::Job job = WithAutomatic(2 * kBatchTokens, 100);
  const std::string name = Crash(job, 4 * kBatchTokens, 8 * kBatchTokens);
  ManagerRig rig(folder_.path());
  ResultOf(rig, rig.WaitForEnd(name));
  std::vector<int64_t> wanted;
  for (int64_t batch = 14; batch >= 2; batch -= 2) wanted.push_back(batch * kBatchTokens);
  std::vector<int64_t> tokens = TokensOfAutomatic(SnapshotsOf(rig, name));
  EXPECT_EQ(tokens, wanted);
}

TEST_F(StatisticsWorkTest, AfterACrashTheFurthestSnapshotsAreKeptNotTheNewest) {
  const v1::Job job = WithAutomatic(2 * kBatchTokens, 1);
  const std::string name = Crash(job, 2 * kBatchTokens, 8 * kBatchTokens);
  Gate gate(4 * kBatchTokens);
  ManagerRig rig(folder_.path(), Gated(&gate));
  WaitUntilDone(rig, name, 4 * kBatchTokens);
  StoreAllThatIsDue(rig, name);
  EXPECT_THAT(TokensOfAutomatic(SnapshotsOf(rig, name)), ElementsAre(8 * kBatchTokens));
  gate.Open();
  rig.WaitForEnd(name);
  EXPECT_THAT(TokensOfAutomatic(SnapshotsOf(rig, name)), ElementsAre(14 * kBatchTokens));
}

TEST_F(StatisticsWorkTest, AStopBetweenACheckpointAndItsSnapshotLosesNoSnapshot) {
  SnapshotSchedule schedule(100);
  schedule.Resume(/*tokens=*/128, /*step_tokens=*/64);
  EXPECT_TRUE(schedule.IsDue(128)) << "100 was passed in the step that ended at 128";
  schedule.Resume(192, 64);
  EXPECT_FALSE(schedule.IsDue(192));
  EXPECT_TRUE(schedule.IsDue(200));
  schedule.Resume(0, 64);
  EXPECT_FALSE(schedule.IsDue(99));
  EXPECT_TRUE(schedule.IsDue(100));
}

TEST_F(StatisticsWorkTest, WithoutAnIntervalNoSnapshotIsEverDue) {
  SnapshotSchedule schedule(0);
  EXPECT_FALSE(schedule.IsDue(INT64_MAX));
  schedule.GoOnFrom(INT64_MAX);
  EXPECT_FALSE(schedule.IsDue(INT64_MAX));
}

TEST_F(StatisticsWorkTest, AJobThatHasCountedNothingHasNoSnapshot) {
  Gate gate(0);
  ManagerRig rig(folder_.path(), Gated(&gate));
  const std::string name = rig.Submit(TinyCollection()).name();
  rig.WaitUntil(name, [](const v1::Job& job) { return job.progress().total() > 0; });
  EXPECT_THAT(SnapshotCall(rig, name).Answer(),
              IsError(absl::StatusCode::kFailedPrecondition, reason::kJobWithoutStatistics));
  gate.Open();
  EXPECT_EQ(rig.WaitForEnd(name).state(), v1::JOB_STATE_SUCCEEDED);
}

TEST_F(StatisticsWorkTest, WhatItNamesMayBeGoneWhenItsTurnComes) {
  const std::unique_ptr<ModelRegistry> registry = LoadTinyRegistry();
  ASSERT_NE(registry, nullptr);
  ManagerRig rig(folder_.path(), {}, nullptr, registry.get());
  v1::Job job = TinyCollection();
  job.mutable_collect_statistics()->add_midcoders("midcoders/gone");
  EXPECT_EQ(ReasonOfJob(rig.WaitForEnd(rig.Submit(job).name())), reason::kMidcoderNotFound);
  ASSERT_OK(registry->RemoveCorpus("corpora/rows"));
  EXPECT_EQ(ReasonOfJob(rig.WaitForEnd(rig.Submit(TinyCollection()).name())), reason::kCorpusNotFound);
}

TEST_F(StatisticsWorkTest, ASweepKeepsWhatAJobStored) {
  std::string name;
  {
    ManagerRig rig(folder_.path());
    name = Collect(rig, TinyCollection()).name();
  }
  ASSERT_OK_AND_ASSIGN(const auto folder, DataFolder::Open(folder_.path()));
  ASSERT_OK_AND_ASSIGN(const auto database, Database::Open(folder->database_path()));
  std::filesystem::create_directories(folder_ / "snapshots/half");
  WriteFile(folder_ / "snapshots/half/statistics.safetensors", "of a server that was killed before the row");
  ASSERT_OK(Sweep(*folder, database.get()));
  EXPECT_FALSE(std::filesystem::exists(folder_ / "snapshots/half"));
  EXPECT_OK(SnapshotStore(folder.get(), database.get()).Open(name));
}

}  // namespace
}  // namespace superpose
