#include "server/jobs/snapshot_comparison.h"

#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <string>

#include "lib/base/error.h"
#include "server/runtime/reasons.h"
#include "tests/status_matchers.h"

namespace superpose {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;
using testing::SizeIs;

constexpr auto kPrecondition = absl::StatusCode::kFailedPrecondition;

// Of sequences [start, stop).
v1::Snapshot Part(const std::string& name, int64_t start, int64_t stop) {
  v1::Snapshot snapshot;
  snapshot.set_name(name);
  snapshot.mutable_provenance()->set_model_hash("model");
  snapshot.mutable_provenance()->set_transcoder_hash("transcoder");
  snapshot.mutable_provenance()->set_corpus_hash("corpus");
  snapshot.set_layer(1);
  snapshot.set_context_length(32);
  snapshot.set_gate(v1::GATE_SOURCE_MODEL);
  snapshot.mutable_options()->add_groups(v1::STATISTICS_GROUP_FEATURES);
  snapshot.set_tokens((stop - start) * 32);
  v1::IndexRange* sequences = snapshot.add_sequences();
  sequences->set_start(start);
  sequences->set_stop(stop);
  return snapshot;
}

// Value and other value of every field that differs.
std::map<std::string, std::pair<std::string, std::string>> Differences(const v1::Snapshot& a, const v1::Snapshot& b) {
  std::map<std::string, std::pair<std::string, std::string>> differences;
  for (const v1::SnapshotDifference& difference : DifferencesOf(a, b)) {
    differences[difference.field()] = {difference.value(), difference.other_value()};
    EXPECT_TRUE(nlohmann::json::accept(difference.value())) << difference.value();
    EXPECT_TRUE(nlohmann::json::accept(difference.other_value())) << difference.other_value();
  }
  return differences;
}

TEST(SnapshotComparisonTest, WhatIsEachSnapshotsOwnIsNoDifference) {
  const v1::Snapshot a = Part("snapshots/a", 0, 10);
  v1::Snapshot b = a;
  b.set_name("snapshots/b");
  b.set_owner("ada");
  b.set_content_hash("other");
  b.set_job("jobs/b");
  b.set_automatic(true);
  b.set_pause_seconds(2);
  b.add_tensors()->set_name("counts");
  b.mutable_create_time()->set_seconds(7);
  (*b.mutable_labels())["a"] = "b";
  b.mutable_options()->set_keep_last(7);
  b.mutable_options()->set_snapshot_every_tokens(7);
  EXPECT_THAT(DifferencesOf(a, b), IsEmpty());
}

TEST(SnapshotComparisonTest, ValuesAreJson) {
  const v1::Snapshot a = Part("snapshots/a", 0, 10);
  v1::Snapshot b = a;
  b.set_includes_bos(true);
  b.set_layer(0);
  b.set_midcoder("midcoders/\"m\"");
  b.set_split(v1::CORPUS_SPLIT_TRAIN);
  b.set_tokens(0);
  b.clear_sequences();
  b.mutable_steps()->set_stop(5);
  b.mutable_provenance()->set_corpus_hash("other");
  b.mutable_options()->mutable_features()->mutable_ids()->add_values(3);
  EXPECT_THAT(Differences(a, b),
              testing::UnorderedElementsAre(
                  Pair("includes_bos", Pair("false", "true")), Pair("layer", Pair("1", "0")),
                  Pair("midcoder", Pair("\"\"", R"("midcoders/\"m\"")")),
                  Pair("split", Pair("\"CORPUS_SPLIT_UNSPECIFIED\"", "\"CORPUS_SPLIT_TRAIN\"")),
                  Pair("tokens", Pair("\"320\"", "\"0\"")), Pair("sequences", Pair(R"([{"stop":"10"}])", "[]")),
                  Pair("steps", Pair("null", R"({"stop":"5"})")),
                  Pair("provenance.corpus_hash", Pair("\"corpus\"", "\"other\"")),
                  Pair("options.features", Pair("null", R"({"ids":{"values":[3]}})"))));
}

TEST(SnapshotComparisonTest, DisjointPartsOfOnePassCanBeMerged) {
  EXPECT_OK(CheckMergeable({Part("snapshots/a", 0, 10), Part("snapshots/b", 20, 30), Part("snapshots/c", 10, 20)}));
}

TEST(SnapshotComparisonTest, NamesOfWhatIsTheSameMayDiffer) {
  v1::Snapshot b = Part("snapshots/b", 10, 20);
  b.mutable_provenance()->set_model("models/renamed");
  b.mutable_provenance()->set_corpus("corpora/renamed");
  b.mutable_provenance()->set_device("cuda:0");
  b.mutable_provenance()->set_server_version("2");
  EXPECT_OK(CheckMergeable({Part("snapshots/a", 0, 10), b}));
}

TEST(SnapshotComparisonTest, TheSettingThatDiffersIsNamed) {
  const std::map<std::string, std::function<void(v1::Snapshot*)>> changes = {
      {"layer", [](auto* b) { b->set_layer(2); }},
      {"includes_bos", [](auto* b) { b->set_includes_bos(true); }},
      {"context_length", [](auto* b) { b->set_context_length(16); }},
      {"split", [](auto* b) { b->set_split(v1::CORPUS_SPLIT_TRAIN); }},
      {"gate", [](auto* b) { b->set_gate(v1::GATE_SOURCE_MIDCODER); }},
      {"midcoder_hash", [](auto* b) { b->set_midcoder_hash("m"); }},
      {"has_feature_ids", [](auto* b) { b->set_has_feature_ids(true); }},
      {"options.groups", [](auto* b) { b->mutable_options()->add_groups(v1::STATISTICS_GROUP_PAIRS); }},
      {"provenance.model_hash", [](auto* b) { b->mutable_provenance()->set_model_hash("x"); }},
      {"provenance.transcoder_hash", [](auto* b) { b->mutable_provenance()->set_transcoder_hash("x"); }},
      {"provenance.corpus_hash", [](auto* b) { b->mutable_provenance()->set_corpus_hash("x"); }}};
  for (const auto& [field, change] : changes) {
    v1::Snapshot b = Part("snapshots/b", 10, 20);
    change(&b);
    const absl::Status status = CheckMergeable({Part("snapshots/a", 0, 10), b});
    EXPECT_THAT(status, AllOf(IsError(kPrecondition, reason::kSnapshotMismatch), MessageHas(field))) << field;
  }
}

TEST(SnapshotComparisonTest, SequencesThatTwoCountedAreNamed) {
  const absl::Status status =
      CheckMergeable({Part("snapshots/a", 0, 10), Part("snapshots/b", 20, 30), Part("snapshots/c", 8, 12)});
  EXPECT_THAT(status, IsError(kPrecondition, reason::kSnapshotsOverlap));
  EXPECT_THAT(status, AllOf(MessageHas("sequences 8 to 9"), MessageHas("snapshots/a"), MessageHas("snapshots/c")));
  const v1::Snapshot a = Part("snapshots/a", 0, 10);
  EXPECT_THAT(CheckMergeable({a, a}), IsError(kPrecondition, reason::kSnapshotsOverlap));
  EXPECT_THAT(CheckMergeable({Part("snapshots/a", 0, 100), Part("snapshots/b", 10, 20), Part("snapshots/c", 50, 60)}),
              IsError(kPrecondition, reason::kSnapshotsOverlap));
}

TEST(SnapshotComparisonTest, ThoseOfUnknownSequencesCannotBeMerged) {
  v1::Snapshot imported = Part("snapshots/i", 10, 20);
  imported.clear_sequences();
  imported.set_moving_parameters(true);
  imported.set_imported_from("reference .pt");
  EXPECT_THAT(CheckMergeable({Part("snapshots/a", 0, 10), imported}),
              AllOf(IsError(kPrecondition, reason::kSnapshotMismatch), MessageHas("was imported")));
  v1::Snapshot moving = Part("snapshots/m", 10, 20);
  moving.set_moving_parameters(true);
  EXPECT_THAT(CheckMergeable({moving, Part("snapshots/a", 0, 10)}),
              AllOf(IsError(kPrecondition, reason::kSnapshotMismatch), MessageHas("parameters moved")));
}

TEST(SnapshotComparisonTest, OneAloneIsNothingToMerge) {
  EXPECT_THAT(CheckMergeable({Part("snapshots/a", 0, 10)}),
              IsError(absl::StatusCode::kInvalidArgument, reason::kConfigInvalid));
  EXPECT_THAT(CheckMergeable({}), IsError(absl::StatusCode::kInvalidArgument, reason::kConfigInvalid));
}

TEST(SnapshotComparisonTest, TheMergedOneHasTheSequencesOfAllInOrder) {
  v1::Snapshot a = Part("snapshots/a", 20, 30);
  a.set_job("jobs/a");
  a.set_automatic(true);
  a.set_pause_seconds(1);
  (*a.mutable_labels())["a"] = "b";
  const v1::Snapshot merged = DescribeMerged({a, Part("snapshots/b", 0, 10), Part("snapshots/c", 10, 15)});
  EXPECT_THAT(merged.merged_from(), ElementsAre("snapshots/a", "snapshots/b", "snapshots/c"));
  EXPECT_EQ(merged.tokens(), 25 * 32);
  ASSERT_THAT(merged.sequences(), SizeIs(2));
  EXPECT_EQ(merged.sequences(0).start(), 0);
  EXPECT_EQ(merged.sequences(0).stop(), 15);
  EXPECT_EQ(merged.sequences(1).start(), 20);
  EXPECT_EQ(merged.sequences(1).stop(), 30);
  EXPECT_EQ(merged.layer(), 1);
  EXPECT_TRUE(merged.job().empty() && merged.labels().empty() && !merged.automatic() && merged.pause_seconds() == 0);
}

TEST(SnapshotComparisonTest, BytesAreThoseOfAllTensors) {
  v1::Snapshot snapshot;
  EXPECT_EQ(BytesOfTensors(snapshot), 0);
  v1::TensorInfo* wide = snapshot.add_tensors();
  wide->set_data_type(v1::DATA_TYPE_FLOAT64);
  wide->add_shape(3);
  wide->add_shape(5);
  v1::TensorInfo* narrow = snapshot.add_tensors();
  narrow->set_data_type(v1::DATA_TYPE_FLOAT32);
  narrow->add_shape(7);
  EXPECT_EQ(BytesOfTensors(snapshot), 3 * 5 * 8 + 7 * 4);
}

}  // namespace
}  // namespace superpose
