// Statistics, snapshots and analyses against the real server.
#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "tests/client/tiny_server_test.h"

namespace superpose::client {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Key;
using ::testing::Property;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;

// Takes well under a second.
v1::StatisticsSpec ShortCollection() {
  v1::StatisticsSpec spec;
  spec.add_transcoders(LayerName(kTinyLayer));
  spec.set_corpus("corpora/rows");
  spec.set_batch_size(8);
  (*spec.mutable_labels())["stage"] = "whole";
  return spec;
}

// Training with statistics, which lasts until it is cancelled.
v1::MidcoderTrainingSpec EndlessWithStatistics() {
  v1::MidcoderTrainingSpec spec = EndlessTraining();
  spec.mutable_statistics()->add_groups(v1::STATISTICS_GROUP_FEATURES);
  return spec;
}

class StatisticsCallsTest : public TinyServerTest {
 protected:
  // Collects and returns the snapshot's name.
  absl::StatusOr<std::string> Collect(const v1::StatisticsSpec& spec = ShortCollection()) const {
    absl::StatusOr<v1::Job> job = client().CollectStatistics(spec);
    if (job.ok()) job = client().WaitForJob(job->name());
    if (!job.ok()) return job.status();
    return job->collected_snapshots().snapshots(0);
  }
  // One of the sequences `first` .. of the corpus, so many tokens.
  absl::StatusOr<std::string> CollectPart(int64_t first, int64_t tokens) const {
    v1::StatisticsSpec spec = ShortCollection();
    spec.set_first_sequence(first);
    spec.set_tokens(tokens);
    return Collect(spec);
  }
};

v1::AnalysisSpec Frequencies(const std::string& snapshot) {
  v1::AnalysisSpec spec;
  spec.set_snapshot(snapshot);
  spec.mutable_frequencies()->set_by(v1::FREQUENCY_SOURCE_SNAPSHOT);
  return spec;
}

// More than the server answers at once.
v1::AnalysisSpec ManyProducts(const std::string& snapshot) {
  v1::AnalysisSpec spec;
  spec.set_snapshot(snapshot);
  spec.mutable_frequency_products()->set_most(1'000'000);
  spec.mutable_frequency_products()->set_by(v1::FREQUENCY_SOURCE_SNAPSHOT);
  return spec;
}

TEST_F(StatisticsCallsTest, ASnapshotSaysWhatItCounted) {
  ASSERT_OK_AND_ASSIGN(const v1::Job submitted, client().CollectStatistics(ShortCollection()));
  EXPECT_FALSE(submitted.request_id().empty());
  EXPECT_EQ(submitted.owner(), "tester");
  ASSERT_OK_AND_ASSIGN(const v1::Job job, client().WaitForJob(submitted.name()));
  ASSERT_THAT(job.collected_snapshots().snapshots(), SizeIs(1));
  ASSERT_OK_AND_ASSIGN(const v1::Snapshot snapshot, client().GetSnapshot(job.collected_snapshots().snapshots(0)));
  EXPECT_EQ(snapshot.job(), job.name());
  EXPECT_EQ(snapshot.layer(), kTinyLayer);
  EXPECT_EQ(snapshot.provenance().corpus(), "corpora/rows");
  EXPECT_EQ(snapshot.labels().at("stage"), "whole");
  EXPECT_FALSE(snapshot.moving_parameters());
  EXPECT_EQ(snapshot.gate(), v1::GATE_SOURCE_MODEL);
  ASSERT_OK_AND_ASSIGN(const Tensor counts, client().ReadTensor(snapshot.name(), "counts"));
  ASSERT_OK_AND_ASSIGN(const absl::Span<const int64_t> tokens, counts.Values<int64_t>());
  EXPECT_THAT(tokens, ElementsAre(snapshot.tokens()));
}

TEST_F(StatisticsCallsTest, TheSameRequestIdGivesTheSameJob) {
  const SubmitOptions options{.request_id = "count-once"};
  ASSERT_OK_AND_ASSIGN(const v1::Job first, client().CollectStatistics(ShortCollection(), options));
  ASSERT_OK_AND_ASSIGN(const v1::Job second, client().CollectStatistics(ShortCollection(), options));
  EXPECT_EQ(first.name(), second.name());
  v1::StatisticsSpec other = ShortCollection();
  other.set_tokens(100);
  EXPECT_THAT(client().CollectStatistics(other, options),
              FailsWith(absl::StatusCode::kAlreadyExists, "REQUEST_ID_REUSED"));
}

TEST_F(StatisticsCallsTest, AnEstimateSaysWhatCollectingTakes) {
  ASSERT_OK_AND_ASSIGN(const v1::EstimateStatisticsResponse all, client().EstimateStatistics(ShortCollection()));
  v1::StatisticsSpec few = ShortCollection();
  few.mutable_options()->add_groups(v1::STATISTICS_GROUP_FEATURES);
  ASSERT_OK_AND_ASSIGN(const v1::EstimateStatisticsResponse some, client().EstimateStatistics(few));
  EXPECT_GT(some.snapshot_bytes(), 0);
  EXPECT_GT(all.snapshot_bytes(), some.snapshot_bytes());
  EXPECT_GT(all.estimate().peak_bytes(), some.estimate().peak_bytes());
}

TEST_F(StatisticsCallsTest, SnapshotsAreListedByTheirJobOrTheirMidcoder) {
  ASSERT_OK_AND_ASSIGN(const std::string name, Collect());
  ASSERT_OK_AND_ASSIGN(const v1::Snapshot snapshot, client().GetSnapshot(name));
  ASSERT_OK_AND_ASSIGN(const auto of_job, client().ListSnapshots({.job = snapshot.job()}));
  EXPECT_THAT(of_job, ElementsAre(Property(&v1::Snapshot::name, name)));
  ASSERT_OK_AND_ASSIGN(const auto of_another, client().ListSnapshots({.job = "jobs/another"}));
  EXPECT_THAT(of_another, IsEmpty());
  ASSERT_OK_AND_ASSIGN(const auto of_midcoder, client().ListSnapshots({.midcoder = "midcoders/another"}));
  EXPECT_THAT(of_midcoder, IsEmpty());
}

TEST_F(StatisticsCallsTest, ASnapshotIsTakenFromARunningJob) {
  ASSERT_OK_AND_ASSIGN(const v1::Job job, client().TrainMidcoder(EndlessWithStatistics()));
  ASSERT_OK(WaitUntilItRuns(client(), job.name()));
  absl::StatusOr<std::vector<v1::Snapshot>> snapshots;
  const absl::Time deadline = absl::Now() + absl::Minutes(2);
  do {  // Before its first step there is nothing to take.
    snapshots = client().TakeSnapshot(job.name(), {.labels = {{"stage", "early"}}});
  } while (ReasonOf(snapshots.status()) == "JOB_WITHOUT_STATISTICS" && absl::Now() < deadline);
  ASSERT_OK(snapshots);
  ASSERT_THAT(*snapshots, SizeIs(1));
  EXPECT_TRUE((*snapshots)[0].moving_parameters());
  EXPECT_GT((*snapshots)[0].tokens(), 0);
  EXPECT_EQ((*snapshots)[0].labels().at("stage"), "early");
  ASSERT_OK_AND_ASSIGN(const v1::Job after, client().GetJob(job.name()));
  EXPECT_FALSE(IsFinished(after)) << "the job goes on";
  EXPECT_OK(client().CancelJob(job.name()));
}

TEST_F(StatisticsCallsTest, AJobThatHasEndedGivesTheSnapshotsThatItLeft) {
  ASSERT_OK_AND_ASSIGN(const std::string name, Collect());
  ASSERT_OK_AND_ASSIGN(const v1::Snapshot snapshot, client().GetSnapshot(name));
  ASSERT_OK_AND_ASSIGN(const auto left, client().TakeSnapshot(snapshot.job()));
  EXPECT_THAT(left, ElementsAre(Property(&v1::Snapshot::name, name)));
}

TEST_F(StatisticsCallsTest, WhereThereAreNoStatisticsNoSnapshotIsTaken) {
  ASSERT_OK_AND_ASSIGN(const v1::Job job, client().TrainMidcoder(ShortTraining()));
  ASSERT_OK(client().WaitForJob(job.name()));
  EXPECT_THAT(client().TakeSnapshot(job.name()),
              FailsWith(absl::StatusCode::kFailedPrecondition, "JOB_WITHOUT_STATISTICS"));
  EXPECT_THAT(client().TakeSnapshot("jobs/none"), FailsWith(absl::StatusCode::kNotFound, "JOB_NOT_FOUND"));
}

TEST_F(StatisticsCallsTest, SnapshotsOfDifferentSequencesAreMerged) {
  ASSERT_OK_AND_ASSIGN(const std::string one, CollectPart(0, 16 * kTinyRowLength));
  ASSERT_OK_AND_ASSIGN(const std::string two, CollectPart(16, 16 * kTinyRowLength));
  ASSERT_OK_AND_ASSIGN(const v1::CompareSnapshotsResponse comparison, client().CompareSnapshots(one, two));
  EXPECT_TRUE(comparison.mergeable()) << comparison.obstacle();
  v1::MergeSpec spec;
  spec.add_snapshots(one);
  spec.add_snapshots(two);
  ASSERT_OK_AND_ASSIGN(const v1::Job submitted, client().MergeSnapshots(spec));
  EXPECT_FALSE(submitted.request_id().empty());
  ASSERT_OK_AND_ASSIGN(const v1::Job job, client().WaitForJob(submitted.name()));
  ASSERT_OK_AND_ASSIGN(const v1::Snapshot merged, client().GetSnapshot(job.collected_snapshots().snapshots(0)));
  EXPECT_THAT(merged.merged_from(), ElementsAre(one, two));
  ASSERT_OK_AND_ASSIGN(const v1::Snapshot part, client().GetSnapshot(one));
  EXPECT_EQ(merged.tokens(), 2 * part.tokens());
}

TEST_F(StatisticsCallsTest, SnapshotsOfTheSameSequencesAreNot) {
  ASSERT_OK_AND_ASSIGN(const std::string one, CollectPart(0, 16 * kTinyRowLength));
  ASSERT_OK_AND_ASSIGN(const std::string two, CollectPart(8, 16 * kTinyRowLength));
  ASSERT_OK_AND_ASSIGN(const v1::CompareSnapshotsResponse comparison, client().CompareSnapshots(one, two));
  EXPECT_FALSE(comparison.mergeable());
  EXPECT_NE(comparison.obstacle(), "");
  v1::MergeSpec spec;
  spec.add_snapshots(one);
  spec.add_snapshots(two);
  EXPECT_THAT(client().MergeSnapshots(spec), FailsWith(absl::StatusCode::kFailedPrecondition, "SNAPSHOTS_OVERLAP"));
}

TEST_F(StatisticsCallsTest, AnAnswerHasItsTensorsAsTheyAre) {
  ASSERT_OK_AND_ASSIGN(const std::string snapshot, Collect());
  ASSERT_OK_AND_ASSIGN(const AnalysisAnswer answer, client().Analyze(Frequencies(snapshot)));
  EXPECT_THAT(answer.tensors, UnorderedElementsAre(Key("feature"), Key("count"), Key("frequency"),
                                                   Key("log10_frequency"), Key("rank")));
  EXPECT_EQ(answer.result.spec().snapshot(), snapshot);
  ASSERT_OK_AND_ASSIGN(const auto counts, answer.tensors.at("count").Values<int64_t>());
  ASSERT_OK_AND_ASSIGN(const auto frequencies, answer.tensors.at("frequency").Values<double>());
  ASSERT_THAT(counts, SizeIs(256));
  ASSERT_THAT(frequencies, SizeIs(256));
  EXPECT_TRUE(std::is_sorted(counts.rbegin(), counts.rend()));
  EXPECT_GT(counts[0], 0);
  EXPECT_DOUBLE_EQ(frequencies[0], static_cast<double>(counts[0]) / static_cast<double>(answer.result.tokens()));
  for (const v1::ResultTensor& tensor : answer.result.tensors()) EXPECT_TRUE(tensor.data().empty());
}

TEST_F(StatisticsCallsTest, AnAnswerThatBecameAJobIsTheSameToTheCaller) {
  ASSERT_OK_AND_ASSIGN(const std::string snapshot, Collect());
  int calls = 0;
  ASSERT_OK_AND_ASSIGN(const AnalysisAnswer answer,
                       client().Analyze(ManyProducts(snapshot), [&calls](const v1::Job&) { ++calls; }));
  EXPECT_GT(calls, 0);
  EXPECT_TRUE(answer.result.tensors_are_stored());
  EXPECT_THAT(answer.tensors, UnorderedElementsAre(Key("observed"), Key("products"), Key("pair_products")));
  ASSERT_OK_AND_ASSIGN(const auto products, answer.tensors.at("products").Values<double>());
  EXPECT_THAT(products, SizeIs(1'000'000));
  EXPECT_TRUE(std::is_sorted(products.rbegin(), products.rend()));
}

TEST_F(StatisticsCallsTest, BothWaysGiveTheSameAnswer) {
  ASSERT_OK_AND_ASSIGN(const std::string snapshot, Collect());
  ASSERT_OK_AND_ASSIGN(const AnalysisAnswer at_once, client().Analyze(Frequencies(snapshot)));
  ASSERT_OK_AND_ASSIGN(const auto response, client().AnalyzeSnapshot(Frequencies(snapshot), {.as_job = true}));
  ASSERT_TRUE(response.has_job());
  EXPECT_FALSE(response.job().request_id().empty());
  ASSERT_OK_AND_ASSIGN(const v1::Job job, client().WaitForJob(response.job().name()));
  ASSERT_OK_AND_ASSIGN(const AnalysisAnswer from_job, client().ReadAnalysis(job.analysis(), job.name()));
  ASSERT_THAT(from_job.tensors, SizeIs(at_once.tensors.size()));
  for (const auto& [name, tensor] : at_once.tensors) {
    EXPECT_EQ(from_job.tensors.at(name).bytes, tensor.bytes) << name;
    EXPECT_EQ(from_job.tensors.at(name).shape, tensor.shape) << name;
  }
}

TEST_F(StatisticsCallsTest, AnAnswerWhoseBytesDoNotFitIsRefused) {
  v1::AnalysisResult result;
  v1::ResultTensor* tensor = result.add_tensors();
  tensor->mutable_info()->set_name("x");
  tensor->mutable_info()->set_data_type(v1::DATA_TYPE_FLOAT64);
  tensor->mutable_info()->add_shape(2);
  tensor->set_data(std::string(16, '\0'));
  EXPECT_OK(client().ReadAnalysis(result));
  tensor->set_data(std::string(15, '\0'));
  EXPECT_THAT(client().ReadAnalysis(result), FailsWith(absl::StatusCode::kDataLoss, ""));
  tensor->mutable_info()->set_data_type(v1::DATA_TYPE_UNSPECIFIED);
  tensor->clear_data();
  EXPECT_THAT(client().ReadAnalysis(result), FailsWith(absl::StatusCode::kDataLoss, ""));
}

TEST_F(StatisticsCallsTest, QuestionsThatCannotBeAnsweredAreExplained) {
  v1::StatisticsSpec few = ShortCollection();
  few.mutable_options()->add_groups(v1::STATISTICS_GROUP_FEATURES);
  ASSERT_OK_AND_ASSIGN(const std::string snapshot, Collect(few));
  v1::AnalysisSpec spec;
  spec.set_snapshot(snapshot);
  spec.mutable_coactive()->set_feature(17);
  EXPECT_THAT(client().Analyze(spec), FailsWith(absl::StatusCode::kFailedPrecondition, "SNAPSHOT_TENSOR_MISSING"));
  spec = Frequencies(snapshot);
  spec.mutable_frequencies()->mutable_features()->mutable_ids()->add_values(999);
  EXPECT_THAT(client().Analyze(spec), FailsWith(absl::StatusCode::kInvalidArgument, "FEATURE_OUT_OF_RANGE"));
  EXPECT_THAT(client().Analyze(Frequencies("snapshots/none")),
              FailsWith(absl::StatusCode::kNotFound, "SNAPSHOT_NOT_FOUND"));
  EXPECT_THAT(client().CompareSnapshots(snapshot, "snapshots/none"),
              FailsWith(absl::StatusCode::kNotFound, "SNAPSHOT_NOT_FOUND"));
}

}  // namespace
}  // namespace superpose::client
