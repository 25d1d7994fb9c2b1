// The real server from a collection to an answer, over a kill in the middle, and what it does when its disk is full.
#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>

#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/client/matchers.h"
#include "tests/integration/statistics_calls.h"
#include "tests/support/disk.h"

namespace superpose {
namespace {

using absl::StatusCode;
using client::FailsWith;
using ::testing::SizeIs;

// Sequences, over which a job with one a batch takes some seconds; on faster machines more are needed.
constexpr int64_t kManySequences = 6144;
constexpr int64_t kMostSequences = kManySequences << 8;

// Of so many sequences of kTinyRowLength.
std::string ManyIds(int64_t sequences) {
  std::string bytes;
  uint32_t state = 7;
  for (int64_t i = 0; i < sequences * kTinyRowLength; ++i) {
    state = state * 1664525 + 1013904223;
    bytes += {static_cast<char>(state >> 24), '\0'};
  }
  return bytes;
}

bool HasCheckpoint(const TinyServer& server, const std::string& job) {
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(server.folder() / "data" / job, error)) {
    if (entry.path().filename().string().find("checkpoint-") == 0) return true;
  }
  return false;
}

absl::Status WatchUntil(const Client& client, const std::string& job,
                        const std::function<bool(const v1::Job&)>& enough) {
  std::stop_source stop;
  client::WatchOptions options;
  options.stop = stop.get_token();
  options.deadline = absl::Now() + absl::Minutes(5);
  auto on_change = [&](const v1::Job& now) {
    if (enough(now)) stop.request_stop();
  };
  const absl::Status status = client.WatchJob(job, on_change, options).status();
  if (status.ok()) return absl::FailedPreconditionError("the job ended before");
  return absl::IsCancelled(status) ? absl::OkStatus() : status;
}

// A job that is under way, one sequence a batch.
struct BegunCollection {
  v1::Job job;
  int64_t sequences = 0;
  v1::Snapshot middle;  // taken of it
};

class StatisticsTest : public ::testing::Test {
 protected:
  void Start(const std::string& more_config = "") {
    ASSERT_OK_AND_ASSIGN(server_, TinyServer::Start(more_config));
    Connect();
  }
  void Connect() {
    channel_ = grpc::CreateChannel(server_->address(), grpc::InsecureChannelCredentials());
    ASSERT_OK_AND_ASSIGN(client_, server_->Connect());
  }
  template <typename Request, typename Response>
  absl::StatusOr<Response> Ask(grpc::Status (StatisticsStub::*method)(grpc::ClientContext*, const Request&, Response*),
                               const Request& request) {
    return Call(channel_, method, request);
  }
  void MakeLongCorpus(int64_t sequences) {
    ASSERT_OK_AND_ASSIGN(const std::string upload, client_->UploadBytes(ManyIds(sequences)));
    v1::CreateCorpusRequest request;
    request.set_corpus_id(absl::StrCat("long", sequences));
    request.set_model("models/tiny");
    request.add_uploads(upload);
    request.set_format(".bin");
    ASSERT_OK_AND_ASSIGN(const v1::Corpus corpus, client_->CreateCorpus(request));
    long_corpus_ = corpus.name();
  }
  v1::CollectStatisticsRequest OfLongCorpus(int64_t first, int64_t sequences, int64_t batch_size) const {
    v1::CollectStatisticsRequest request = Collection(first, sequences);
    request.mutable_spec()->set_corpus(long_corpus_);
    request.mutable_spec()->set_batch_size(batch_size);
    request.mutable_spec()->set_context_length(kTinyRowLength);
    return request;
  }
  // One that has a checkpoint when a snapshot of less than its first half is taken: so it goes on for at least as long
  // again. Its corpus is as long as that takes on this machine.
  std::optional<BegunCollection> BeginLongCollection() {
    BegunCollection begun;
    for (begun.sequences = kManySequences; begun.sequences <= kMostSequences; begun.sequences *= 4) {
      MakeLongCorpus(begun.sequences);
      const auto submitted = Ask(&StatisticsStub::CollectStatistics, OfLongCorpus(0, begun.sequences, 1));
      EXPECT_OK(submitted);
      if (!submitted.ok()) return std::nullopt;
      begun.job = submitted->job();
      const std::string& name = begun.job.name();
      const absl::Status seen =
          WatchUntil(*client_, name, [&](const v1::Job&) { return HasCheckpoint(*server_, name); });
      const auto taken = TakeSnapshot(name);
      EXPECT_OK(taken);
      if (!taken.ok() || taken->snapshots_size() != 1) return std::nullopt;
      begun.middle = taken->snapshots(0);
      if (seen.ok() && 2 * begun.middle.tokens() < begun.sequences * kTinyRowLength) return begun;
      client_->CancelJob(name).IgnoreError();  // unless it has ended
    }
    return std::nullopt;
  }
  // The job's only snapshot, once it has ended.
  v1::Snapshot ResultOf(const v1::Job& job) {
    const auto end = client_->WaitForJob(job.name());
    EXPECT_OK(end);
    if (!end.ok() || end->collected_snapshots().snapshots_size() != 1) {
      ADD_FAILURE() << "no snapshot";
      return {};
    }
    v1::GetSnapshotRequest request;
    request.set_name(end->collected_snapshots().snapshots(0));
    const auto got = Ask(&StatisticsStub::GetSnapshot, request);
    EXPECT_OK(got);
    return got.ok() ? got->snapshot() : v1::Snapshot();
  }
  v1::Snapshot Collect(const v1::CollectStatisticsRequest& request) {
    const auto submitted = Ask(&StatisticsStub::CollectStatistics, request);
    EXPECT_OK(submitted);
    return submitted.ok() ? ResultOf(submitted->job()) : v1::Snapshot();
  }
  absl::StatusOr<v1::TakeSnapshotResponse> TakeSnapshot(const std::string& job) {
    v1::TakeSnapshotRequest request;
    request.set_job(job);
    (*request.mutable_labels())["when"] = "in the middle";
    return Ask(&StatisticsStub::TakeSnapshot, request);
  }
  std::string BytesOf(const std::string& resource, const std::string& tensor) {
    const auto read = client_->ReadTensor(resource, tensor);
    EXPECT_OK(read) << tensor;
    return read.ok() ? read->bytes : "";
  }
  v1::AnalyzeSnapshotRequest Pairs(const std::string& snapshot) {
    v1::AnalyzeSnapshotRequest request;
    request.mutable_spec()->set_snapshot(snapshot);
    request.mutable_spec()->mutable_pairs()->mutable_features()->mutable_range()->set_stop(64);
    return request;
  }
  // The answer given at once and that of a job are the same.
  void ExpectSameAnswers(const std::string& snapshot) {
    v1::AnalyzeSnapshotRequest request = Pairs(snapshot);
    ASSERT_OK_AND_ASSIGN(const auto at_once, Ask(&StatisticsStub::AnalyzeSnapshot, request));
    ASSERT_TRUE(at_once.has_result());
    request.set_as_job(true);
    request.set_request_id("once");
    ASSERT_OK_AND_ASSIGN(const auto by_job, Ask(&StatisticsStub::AnalyzeSnapshot, request));
    ASSERT_TRUE(by_job.has_job());
    ASSERT_OK_AND_ASSIGN(const v1::Job end, client_->WaitForJob(by_job.job().name()));
    EXPECT_TRUE(end.analysis().tensors_are_stored());
    ASSERT_EQ(end.analysis().tensors_size(), at_once.result().tensors_size());
    ASSERT_GT(at_once.result().tensors_size(), 0);
    for (int i = 0; i < end.analysis().tensors_size(); ++i) {
      const v1::ResultTensor& tensor = at_once.result().tensors(i);
      EXPECT_EQ(end.analysis().tensors(i).info().SerializeAsString(), tensor.info().SerializeAsString());
      EXPECT_EQ(BytesOf(end.name(), tensor.info().name()), tensor.data()) << tensor.info().name();
    }
    ASSERT_OK_AND_ASSIGN(const auto again, Ask(&StatisticsStub::AnalyzeSnapshot, request));
    EXPECT_EQ(again.job().name(), end.name()) << "the same request gets the same job";
    answered_by_ = end.name();
  }
  v1::Snapshot Merge(const std::vector<v1::Snapshot>& snapshots) {
    v1::MergeSnapshotsRequest request;
    for (const v1::Snapshot& snapshot : snapshots) request.mutable_spec()->add_snapshots(snapshot.name());
    const auto submitted = Ask(&StatisticsStub::MergeSnapshots, request);
    EXPECT_OK(submitted);
    return submitted.ok() ? ResultOf(submitted->job()) : v1::Snapshot();
  }

  std::unique_ptr<TinyServer> server_;
  std::shared_ptr<grpc::Channel> channel_;
  std::optional<Client> client_;
  std::string long_corpus_;
  std::string answered_by_;
};

TEST_F(StatisticsTest, FromACollectionOverAKillToAnswersAndAMerge) {
  ASSERT_NO_FATAL_FAILURE(Start("checkpoint_seconds: 1"));
  const std::optional<BegunCollection> begun = BeginLongCollection();
  ASSERT_TRUE(begun.has_value()) << "no collection outlasts two checkpoints";
  const v1::Snapshot& middle = begun->middle;
  EXPECT_GT(middle.tokens(), 0);
  EXPECT_EQ(middle.sequences(0).stop() * kTinyRowLength, middle.tokens());
  EXPECT_EQ(middle.labels().at("when"), "in the middle");
  const std::string counts = BytesOf(middle.name(), "act_counts");

  server_->process().Kill();
  ASSERT_OK(server_->StartAgain());
  Connect();
  const v1::Snapshot whole = ResultOf(begun->job);
  EXPECT_FALSE(server_->process().WaitForLog("job resumed").is_null()) << server_->process().ErrorOutput();
  EXPECT_EQ(whole.tokens(), begun->sequences * kTinyRowLength);
  EXPECT_EQ(BytesOf(middle.name(), "act_counts"), counts) << "what was taken before the kill is there as it was";
  v1::ListSnapshotsRequest of_job;
  of_job.set_job(begun->job.name());
  ASSERT_OK_AND_ASSIGN(const auto listed, Ask(&StatisticsStub::ListSnapshots, of_job));
  EXPECT_THAT(listed.snapshots(), SizeIs(2));

  ExpectSameAnswers(whole.name());
  const int64_t half = begun->sequences / 2;
  const v1::Snapshot merged = Merge({Collect(OfLongCorpus(0, half, 64)), Collect(OfLongCorpus(half, half, 64))});
  EXPECT_EQ(merged.tokens(), whole.tokens());
  for (const char* name : {"counts", "act_counts", "gate_act_counts", "act_cov_counts_upper", "act_log2_histogram"}) {
    EXPECT_EQ(BytesOf(merged.name(), name), BytesOf(whole.name(), name)) << name;
  }
}

TEST_F(StatisticsTest, AnAnswerIsThereAfterARestartAndGoesWithItsJob) {
  ASSERT_NO_FATAL_FAILURE(Start());
  const std::string snapshot = Collect(Collection()).name();
  ExpectSameAnswers(snapshot);
  v1::DeleteSnapshotRequest request;
  request.set_name(snapshot);
  ASSERT_OK(Ask(&StatisticsStub::DeleteSnapshot, request));
  v1::AnalyzeSnapshotRequest again = Pairs(snapshot);
  again.set_request_id("once");
  again.set_as_job(true);
  ASSERT_OK_AND_ASSIGN(const auto answer, Ask(&StatisticsStub::AnalyzeSnapshot, again));
  EXPECT_EQ(answer.job().name(), answered_by_) << "the answer outlives what it was of";
  EXPECT_EQ(server_->process().Terminate(), 0);
  ASSERT_OK(server_->StartAgain());
  Connect();
  EXPECT_NE(BytesOf(answered_by_, "values"), "");
  ASSERT_OK(client_->DeleteJob(answered_by_));
  EXPECT_THAT(client_->ReadTensor(answered_by_, "values"), FailsWith(StatusCode::kNotFound, "JOB_NOT_FOUND"));
}

TEST_F(StatisticsTest, ATrainingWithStatisticsGivesSnapshotsWhileItRuns) {
  ASSERT_NO_FATAL_FAILURE(Start());
  v1::MidcoderTrainingSpec spec = EndlessTraining();
  spec.mutable_statistics()->add_groups(v1::STATISTICS_GROUP_GATES);
  ASSERT_OK_AND_ASSIGN(const v1::Job job, client_->TrainMidcoder(spec));
  ASSERT_OK(WatchUntil(*client_, job.name(), [](const v1::Job& now) { return now.progress().done() > 0; }));
  ASSERT_OK_AND_ASSIGN(const auto taken, TakeSnapshot(job.name()));
  ASSERT_EQ(taken.snapshots_size(), 1);
  EXPECT_TRUE(taken.snapshots(0).moving_parameters());
  EXPECT_GT(taken.snapshots(0).steps().stop(), 0);
  EXPECT_GT(taken.snapshots(0).pause_seconds(), 0);
  EXPECT_NE(BytesOf(taken.snapshots(0).name(), "W_mid"), "");
  ASSERT_OK(client_->CancelJob(job.name()));
  ASSERT_OK(client_->WatchJob(job.name(), nullptr));
  EXPECT_THAT(TakeSnapshot(job.name()), FailsWith(StatusCode::kFailedPrecondition, "JOB_WITHOUT_STATISTICS"));
}

TEST_F(StatisticsTest, WhatAJobReadsIsNotDeleted) {
  ASSERT_NO_FATAL_FAILURE(Start("max_running_jobs: 1"));
  const v1::Snapshot first = Collect(Collection(0, 16)), second = Collect(Collection(16, 16));
  ASSERT_OK_AND_ASSIGN(const v1::Job endless, client_->TrainMidcoder(EndlessTraining()));
  ASSERT_OK(WaitUntilItRuns(*client_, endless.name()));
  v1::MergeSnapshotsRequest merge;
  merge.mutable_spec()->add_snapshots(first.name());
  merge.mutable_spec()->add_snapshots(second.name());
  ASSERT_OK_AND_ASSIGN(const auto queued, Ask(&StatisticsStub::MergeSnapshots, merge));
  v1::DeleteSnapshotRequest request;
  request.set_name(first.name());
  EXPECT_THAT(Ask(&StatisticsStub::DeleteSnapshot, request),
              FailsWith(StatusCode::kFailedPrecondition, "RESOURCE_IN_USE"));
  ASSERT_OK(client_->CancelJob(endless.name()));
  ResultOf(queued.job());
  EXPECT_OK(Ask(&StatisticsStub::DeleteSnapshot, request));
  EXPECT_THAT(Ask(&StatisticsStub::DeleteSnapshot, request), FailsWith(StatusCode::kNotFound, "SNAPSHOT_NOT_FOUND"));
}

TEST_F(StatisticsTest, SnapshotsAreComparedSettingBySetting) {
  ASSERT_NO_FATAL_FAILURE(Start());
  const v1::Snapshot first = Collect(Collection(0, 16)), second = Collect(Collection(16, 16));
  v1::CompareSnapshotsRequest request;
  request.set_snapshot(first.name());
  request.set_other(second.name());
  ASSERT_OK_AND_ASSIGN(auto compared, Ask(&StatisticsStub::CompareSnapshots, request));
  EXPECT_TRUE(compared.mergeable()) << compared.obstacle();
  EXPECT_EQ(compared.obstacle(), "");
  ASSERT_EQ(compared.differences_size(), 1);
  EXPECT_EQ(compared.differences(0).field(), "sequences");
  EXPECT_EQ(compared.differences(0).value(), R"([{"stop":"16"}])");
  EXPECT_EQ(compared.differences(0).other_value(), R"([{"start":"16","stop":"32"}])");
  request.set_other(first.name());
  ASSERT_OK_AND_ASSIGN(compared, Ask(&StatisticsStub::CompareSnapshots, request));
  EXPECT_FALSE(compared.mergeable());
  EXPECT_NE(compared.obstacle(), "");
}

TEST_F(StatisticsTest, AnEstimateIsGivenAndWhatCanNeverFitIsRefusedWithAdvice) {
  ASSERT_NO_FATAL_FAILURE(Start("memory_limit_bytes: 2500000"));
  v1::EstimateStatisticsRequest estimate;
  *estimate.mutable_spec() = Collection().spec();
  ASSERT_OK_AND_ASSIGN(const auto all, Ask(&StatisticsStub::EstimateStatistics, estimate));
  EXPECT_GT(all.estimate().peak_bytes(), all.estimate().available_bytes());
  EXPECT_NE(all.estimate().advice(), "");
  EXPECT_GT(all.snapshot_bytes(), 256 * 128 * 8 * 5);
  const auto refused = Ask(&StatisticsStub::CollectStatistics, Collection());
  EXPECT_THAT(refused, FailsWith(StatusCode::kResourceExhausted, "MEMORY_EXCEEDED"));
  EXPECT_THAT(refused, MessageHas("would fit"));
  v1::CollectStatisticsRequest small = Collection();
  small.mutable_spec()->mutable_options()->add_groups(v1::STATISTICS_GROUP_FEATURES);
  *estimate.mutable_spec() = small.spec();
  ASSERT_OK_AND_ASSIGN(const auto little, Ask(&StatisticsStub::EstimateStatistics, estimate));
  EXPECT_EQ(little.estimate().advice(), "") << little.estimate().peak_bytes();
  EXPECT_NE(Collect(small).name(), "");
}

TEST_F(StatisticsTest, ASnapshotThatADiskHasNoRoomForIsRefusedAndTheJobGoesOn) {
  const Disk disk;
  ASSERT_NO_FATAL_FAILURE(Start());
  v1::MidcoderTrainingSpec spec = EndlessTraining();
  spec.mutable_statistics()->add_groups(v1::STATISTICS_GROUP_GATES);
  ASSERT_OK_AND_ASSIGN(const v1::Job job, client_->TrainMidcoder(spec));
  ASSERT_OK(WatchUntil(*client_, job.name(), [](const v1::Job& now) { return now.progress().done() > 0; }));
  disk.Fill();
  EXPECT_THAT(TakeSnapshot(job.name()), FailsWith(StatusCode::kResourceExhausted, "STORAGE_FULL"));
  ASSERT_OK_AND_ASSIGN(const v1::Job now, client_->GetJob(job.name()));
  EXPECT_EQ(now.state(), v1::JOB_STATE_RUNNING);
  disk.MakeSound();
  ASSERT_OK_AND_ASSIGN(const auto taken, TakeSnapshot(job.name()));
  v1::ListSnapshotsRequest of_job;
  of_job.set_job(job.name());
  ASSERT_OK_AND_ASSIGN(const auto listed, Ask(&StatisticsStub::ListSnapshots, of_job));
  EXPECT_THAT(listed.snapshots(), SizeIs(1)) << "nothing is left of the one that was refused";
  EXPECT_EQ(BytesOf(taken.snapshots(0).name(), "act_counts").size(), 256U * 8);
  ASSERT_OK(client_->CancelJob(job.name()));
}

TEST_F(StatisticsTest, WhatACollectionMadeIsStoredOnceThereIsRoomAgain) {
  const Disk disk;
  ASSERT_NO_FATAL_FAILURE(Start("checkpoint_seconds: 600"));
  MakeLongCorpus(4096);
  ASSERT_OK_AND_ASSIGN(const auto submitted, Ask(&StatisticsStub::CollectStatistics, OfLongCorpus(0, 4096, 1)));
  ASSERT_OK(WaitUntilItRuns(*client_, submitted.job().name()));
  disk.Fill();
  const nlohmann::json line = server_->process().WaitForLog("what a job made was not stored", absl::Minutes(5));
  ASSERT_FALSE(line.is_null()) << server_->process().ErrorOutput();
  EXPECT_EQ(line["reason"], "STORAGE_FULL") << line;
  disk.MakeSound();
  EXPECT_EQ(ResultOf(submitted.job()).tokens(), 4096 * kTinyRowLength);
}

}  // namespace
}  // namespace superpose
