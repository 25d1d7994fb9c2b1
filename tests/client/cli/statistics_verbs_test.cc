// Collecting, snapshots and questions to them, against the real server.
#include <filesystem>

#include "absl/strings/str_split.h"
#include "client/cli/analysis_kinds.h"
#include "client/cli/text.h"
#include "tests/client/cli/asking_test.h"

namespace superpose::cli {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::SizeIs;

class StatisticsVerbsTest : public AskingTest {
 protected:
  static std::vector<std::string> CollectWith(const std::vector<std::string>& more) {
    std::vector<std::string> arguments = {"collect", "--layer", "1", "--corpus", "rows"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  }
  static std::string Collected(const std::vector<std::string>& more = {}) {
    const json job = AskForJson(CollectWith(more));
    return job["collected_snapshots"]["snapshots"][0];
  }
  static std::string TrainedMidcoder() {
    const json job = AskForJson({"train", "--layer", "1", "--corpus", "rows", "--steps", "5"});
    return job["trained_midcoders"]["midcoders"][0];
  }
};

TEST_F(StatisticsVerbsTest, CollectingWaitsAndShowsTheSnapshot) {
  const Outcome outcome = Ask(CollectWith({"--label", "run=first"}));
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr("snapshots/"));
  EXPECT_THAT(outcome.out, HasSubstr("run=first"));
  EXPECT_THAT(outcome.err, HasSubstr(": succeeded, "));
  const Outcome detached = Ask(CollectWith({"--detach"}));
  EXPECT_THAT(detached.out, MatchesRegex("jobs/[^ \n]+\n"));
  EXPECT_EQ(Ask({"watch", detached.out.substr(0, detached.out.size() - 1)}).code, 0);
}

TEST_F(StatisticsVerbsTest, EveryOptionOfCollectingReachesTheSpec) {
  const json job = AskForJson(CollectWith({"--tokens",         "2000",
                                           "--batch-size",     "4",
                                           "--context-length", "32",
                                           "--split",          "all",
                                           "--features",       "40:80",
                                           "--groups",         "pairs,gates",
                                           "--gate",           "model",
                                           "--label",          "a=1",
                                           "--first-sequence", "2",
                                           "--label",          "b=2",
                                           "--priority",       "3",
                                           "--keep-last",      "1",
                                           "--pair-features",  "40,41",
                                           "--include-bos",    "--request-id",
                                           "this-one",         "--snapshot-every",
                                           "1000000",          "--detach"}));
  EXPECT_EQ(job["priority"], 3);
  EXPECT_EQ(job["request_id"], "this-one");
  const json& spec = job["collect_statistics"];
  EXPECT_EQ(spec["tokens"], "2000");
  EXPECT_EQ(spec["batch_size"], "4");
  EXPECT_EQ(spec["first_sequence"], "2");
  EXPECT_EQ(spec["split"], "CORPUS_SPLIT_ALL");
  EXPECT_EQ(spec["gate"], "GATE_SOURCE_MODEL");
  EXPECT_EQ(spec["labels"], json({{"a", "1"}, {"b", "2"}}));
  const json& options = spec["options"];
  EXPECT_THAT(options["groups"].dump(), HasSubstr("STATISTICS_GROUP_PAIRS\",\"STATISTICS_GROUP_GATES"));
  EXPECT_THAT(options["features"].dump(), HasSubstr("40"));
  EXPECT_EQ(options["pair_features"]["ids"]["values"], json({40, 41}));
  EXPECT_EQ(options["include_bos"], true);
  EXPECT_EQ(options["snapshot_every_tokens"], "1000000");
  EXPECT_EQ(options["keep_last"], 1);
}

TEST_F(StatisticsVerbsTest, AMidcoderSaysWhereItWasTrained) {
  const std::string midcoder = TrainedMidcoder();
  const json job = AskForJson({"collect", "--midcoder", midcoder.substr(midcoder.find('/') + 1), "--tokens", "500"});
  EXPECT_EQ(job["collect_statistics"]["transcoders"], json({"models/tiny/transcoders/layer1"}));
  EXPECT_EQ(job["collect_statistics"]["corpus"], "corpora/rows");
  EXPECT_EQ(job["collect_statistics"]["gate"], "GATE_SOURCE_MIDCODER");
  EXPECT_EQ(Ask({"collect", "--midcoder", "none"}).code, 3);
}

TEST_F(StatisticsVerbsTest, AnEstimateOfMemoryIsATable) {
  const Outcome outcome = Ask(CollectWith({"--estimate"}));
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr("peak while it runs"));
  EXPECT_THAT(outcome.out, HasSubstr("the snapshots, on the disk"));
  EXPECT_NE(AskForJson(CollectWith({"--estimate"}))["snapshot_bytes"], "0");
}

TEST_F(StatisticsVerbsTest, TrainingCollectsStatisticsOnTheWay) {
  const std::vector<std::string> train = {"train",   "--layer", "1",        "--corpus", "rows",
                                          "--steps", "5",       "--groups", "features", "--statistics"};
  const Outcome outcome = Ask(train);
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr("snapshots/"));
  const json job = AskForJson(train);
  EXPECT_EQ(job["train_midcoder"]["statistics"]["groups"], json({"STATISTICS_GROUP_FEATURES"}));
  const json snapshots = AskForJson({"snapshots", "--job", job["name"]})["snapshots"];
  ASSERT_THAT(snapshots, SizeIs(1));
  EXPECT_EQ(snapshots[0]["moving_parameters"], true);
  EXPECT_THAT(Ask({"snapshots", "show", snapshots[0]["name"]}).out, HasSubstr("moved meanwhile, steps"));
}

TEST_F(StatisticsVerbsTest, JobsOfStatisticsAreShownWithWhatTheyMade) {
  const json job = AskForJson(CollectWith({}));
  const Outcome shown = Ask({"job", job["name"]});
  EXPECT_THAT(shown.out, HasSubstr("collect statistics of models/tiny/transcoders/layer1"));
  EXPECT_THAT(shown.out, HasSubstr(job["collected_snapshots"]["snapshots"][0]));
  EXPECT_THAT(Ask({"jobs"}).out, HasSubstr("collect statistics of"));
  EXPECT_EQ(Ask({"snapshots", "take", job["name"]}).out,
            job["collected_snapshots"]["snapshots"][0].get<std::string>() + "\n")
      << "of a job that has ended: what it left";
  EXPECT_EQ(Ask({"snapshots", "take", "none"}).code, 3);
}

TEST_F(StatisticsVerbsTest, SnapshotsAreComparedAndMerged) {
  const std::string one = Collected({"--tokens", "512", "--batch-size", "8"});
  const std::string two = Collected({"--tokens", "512", "--batch-size", "8", "--first-sequence", "16"});
  EXPECT_THAT(Ask({"snapshots", "compare", one, two}).out, HasSubstr("they can be merged"));
  const Outcome merged = Ask({"snapshots", "merge", one, two, "--label", "part=both"});
  EXPECT_EQ(merged.code, 0) << merged.err;
  EXPECT_THAT(merged.out, MatchesRegex("snapshots/[^ \n]+\n"));
  const Outcome shown = Ask({"snapshots", "show", merged.out.substr(0, merged.out.size() - 1)});
  EXPECT_THAT(shown.out, HasSubstr("merged from " + one));
  EXPECT_THAT(shown.out, HasSubstr("part=both"));
  const std::string other = Collected({"--include-bos"});
  const Outcome comparison = Ask({"snapshots", "compare", one, other});
  EXPECT_EQ(comparison.code, 0);
  EXPECT_THAT(comparison.out, HasSubstr("include_bos"));
  EXPECT_THAT(comparison.out, HasSubstr("they cannot be merged: "));
  EXPECT_EQ(Ask({"snapshots", "merge", one, other}).code, 1);
}

TEST_F(StatisticsVerbsTest, EveryQuestionHasItsTable) {
  const std::string snapshot = Collected({"--midcoder", TrainedMidcoder()});
  const std::map<std::string, std::vector<std::string>> needs = {{"coactive", {"--feature", "17", "--min-count", "1"}},
                                                                 {"neighbors", {"--feature", "17"}},
                                                                 {"units", {"--feature", "17"}}};
  for (const AnalysisKind& kind : AnalysisKinds()) {
    std::vector<std::string> arguments = {"analyze", snapshot, kind.name};
    if (const auto more = needs.find(kind.name); more != needs.end()) {
      arguments.insert(arguments.end(), more->second.begin(), more->second.end());
    }
    const Outcome outcome = Ask(arguments, 70);
    EXPECT_EQ(outcome.code, 0) << kind.name << outcome.err;
    const std::vector<std::string> lines = absl::StrSplit(outcome.out, '\n', absl::SkipEmpty());
    EXPECT_GT(lines.size(), 2) << kind.name << "\n" << outcome.out;
    for (const std::string& line : lines) EXPECT_LE(DisplayWidth(line), 70) << kind.name << "\n" << line;
    arguments.insert(arguments.end(), {"-o", folder_.File(kind.name + ".npy")});
    EXPECT_EQ(Ask(arguments).code, 0) << kind.name << ": its main tensor";
    EXPECT_TRUE(std::filesystem::exists(folder_.File(kind.name + ".npy")));
  }
}

TEST_F(StatisticsVerbsTest, AnAnswersTensorsAreWrittenAsFiles) {
  const std::string snapshot = Collected();
  const Outcome outcome = Ask({"analyze", snapshot, "frequencies", "--features", "5,7", "-o", folder_.File("f")});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr(folder_.File("f/frequency.npy") + ": float64 [2]"));
  const json answer =
      AskForJson({"analyze", snapshot, "frequencies", "--features", "5,7", "-o", folder_.File("only.npy")});
  EXPECT_EQ(answer["tensors"]["frequency"]["file"], folder_.File("only.npy"));
  const json inlined = AskForJson({"analyze", snapshot, "frequencies", "--features", "7,5", "--by", "snapshot"});
  EXPECT_THAT(inlined["tensors"]["feature"], SizeIs(2));
  EXPECT_TRUE(inlined["tensors"]["frequency"][0].is_number());
}

TEST_F(StatisticsVerbsTest, AQuestionThatBecomesAJobIsWaitedFor) {
  const std::string snapshot = Collected();
  const Outcome outcome = Ask({"analyze", snapshot, "products", "--most", "1000000", "--limit", "3"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.err, HasSubstr(": succeeded"));
  EXPECT_THAT(outcome.out, HasSubstr("3 of 1,000,000 rows"));
  EXPECT_THAT(Ask({"jobs"}).out, HasSubstr("frequency products of " + snapshot));
}

TEST_F(StatisticsVerbsTest, QuestionsThatCannotBeAnsweredAreExplained) {
  const std::string snapshot = Collected({"--groups", "features"});
  const Outcome missing = Ask({"analyze", snapshot, "coactive", "--feature", "17"});
  EXPECT_EQ(missing.code, 1);
  EXPECT_EQ(missing.out, "");
  EXPECT_THAT(missing.err, HasSubstr("SNAPSHOT_TENSOR_MISSING"));
  EXPECT_EQ(Ask({"analyze", "none", "frequencies"}).code, 3);
  EXPECT_THAT(Ask({"analyze", snapshot, "frequencies", "--features", "band:5,6"}).err, HasSubstr("EMPTY_SELECTION"));
  const Outcome unwritable = Ask({"analyze", snapshot, "frequencies", "-o", "/no/such/folder/x.npy"});
  EXPECT_EQ(unwritable.code, 1);
  EXPECT_THAT(unwritable.err, HasSubstr("FILE_WRITE_FAILED"));
}

}  // namespace
}  // namespace superpose::cli
