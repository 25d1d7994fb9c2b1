#include <nlohmann/json.hpp>

#include "absl/strings/str_split.h"
#include "tests/client/cli/run.h"
#include "tests/client/tiny_server_test.h"

namespace superpose::cli {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::Not;

class MidcoderVerbsTest : public TinyServerTest {
 protected:
  static Outcome Ask(std::vector<std::string> arguments) {
    arguments.insert(arguments.end(), {"--server", server().address(), "--user", "ada"});
    return RunProgram(arguments);
  }
  static Outcome Train(std::vector<std::string> more = {}) {
    std::vector<std::string> arguments = {"train", "--layer",      "1", "--corpus", "rows", "--steps",
                                          "20",    "--batch-size", "8"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return Ask(std::move(arguments));
  }
  // Trains one and returns its name.
  static std::string TrainedMidcoder() {
    Outcome outcome = Train({"--json"});
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    return json::parse(outcome.out)["trained_midcoders"]["midcoders"][0];
  }
};

TEST_F(MidcoderVerbsTest, TrainingWaitsAndShowsWhatItMade) {
  Outcome outcome = Train();
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr("midcoders/"));
  EXPECT_THAT(outcome.out, HasSubstr("mse_out_transcoder"));
  EXPECT_THAT(outcome.err, HasSubstr(": succeeded, 20/20 steps (100%)"));
}

TEST_F(MidcoderVerbsTest, EveryOptionOfTrainingReachesTheSpec) {
  Outcome outcome = Ask({"train",
                         "--transcoder",
                         "models/tiny/transcoders/layer1",
                         "--corpus",
                         "corpora/rows",
                         "--mid-dim",
                         "d_model",
                         "--gate",
                         "model",
                         "--epochs",
                         "2",
                         "--batch-size",
                         "4",
                         "--context-length",
                         "32",
                         "--lr",
                         "0.002",
                         "--weight-decay",
                         "0",
                         "--adam-eps",
                         "1e-7",
                         "--mse-out-param",
                         "0.5",
                         "--steps-per-epoch",
                         "3",
                         "--seed",
                         "7",
                         "--order",
                         "sequential",
                         "--priority",
                         "2",
                         "--request-id",
                         "mine",
                         "--json"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  json job = json::parse(outcome.out);
  EXPECT_EQ(job["priority"], 2);
  EXPECT_EQ(job["request_id"], "mine");
  EXPECT_EQ(job["owner"], "ada");
  const json& spec = job["train_midcoder"];
  EXPECT_EQ(spec["transcoders"], json::array({"models/tiny/transcoders/layer1"}));
  EXPECT_EQ(spec["mid_form"], "MID_FORM_D_MODEL");
  EXPECT_EQ(spec["gate"], "MID_GATE_MODEL");
  EXPECT_EQ(spec["epochs"], "2");
  EXPECT_EQ(spec["batch_size"], "4");
  EXPECT_EQ(spec["context_length"], "32");
  EXPECT_EQ(spec["lr"], 0.002);
  EXPECT_EQ(spec["weight_decay"], 0.0);
  EXPECT_EQ(spec["adam_eps"], 1e-7);
  EXPECT_EQ(spec["mse_out_param"], 0.5);
  EXPECT_EQ(spec["steps_per_epoch"], "3");
  EXPECT_EQ(spec["seed"], "7");
  EXPECT_EQ(spec["order"], "SEQUENCE_ORDER_SEQUENTIAL");
}

TEST_F(MidcoderVerbsTest, DetachedTrainingPrintsTheJobAlone) {
  Outcome outcome = Train({"--detach"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, ::testing::MatchesRegex("jobs/[^ \n]+\n"));
  EXPECT_EQ(outcome.err, "");
  std::string job = outcome.out.substr(0, outcome.out.size() - 1);
  EXPECT_EQ(Ask({"watch", job}).code, 0);
}

TEST_F(MidcoderVerbsTest, WrongSettingsAreExplained) {
  Outcome outcome = Ask({"train", "--layer", "1", "--corpus", "other"});
  EXPECT_EQ(outcome.code, 3);
  EXPECT_THAT(outcome.err, HasSubstr("CORPUS_NOT_FOUND"));
  outcome = Ask({"train", "--layer", "1", "--corpus", "rows", "--batch-size", "0"});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_THAT(outcome.err, HasSubstr("(INVALID_ARGUMENT, CONFIG_INVALID)"));
}

TEST_F(MidcoderVerbsTest, AnEvaluationIsATable) {
  std::string name = TrainedMidcoder();
  Outcome outcome = Ask({"evaluate", name, "--tokens", "1000"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr("MLP replaced by"));
  EXPECT_THAT(outcome.out, HasSubstr("transcoder "));
  EXPECT_THAT(outcome.out, HasSubstr("which training may have seen"));
  Outcome as_json = Ask({"evaluate", name, "--corpus", "rows", "--tokens", "1000", "--json"});
  EXPECT_TRUE(json::parse(as_json.out)["evaluation"]["metrics"]["ce_model"].is_number());
}

TEST_F(MidcoderVerbsTest, HistoryPrintsEvenlySpacedSteps) {
  std::string name = TrainedMidcoder();
  Outcome outcome = Ask({"history", name, "--rows", "3"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  std::vector<std::string> lines = absl::StrSplit(outcome.out, '\n', absl::SkipEmpty());
  ASSERT_EQ(lines.size(), 4);
  EXPECT_THAT(lines[1], HasSubstr("   1  "));
  EXPECT_THAT(lines[3], HasSubstr("  20  "));
  EXPECT_EQ(json::parse(Ask({"history", name, "--json"}).out)["loss"].size(), 20);
}

TEST_F(MidcoderVerbsTest, AMidcoderIsListedShownAndDeleted) {
  std::string name = TrainedMidcoder();
  EXPECT_THAT(Ask({"midcoders"}).out, HasSubstr(name));
  Outcome shown = Ask({"midcoders", "show", name});
  EXPECT_THAT(shown.out, HasSubstr("float32 [256, 128]"));
  EXPECT_EQ(json::parse(Ask({"midcoders", "show", name, "--json"}).out)["steps"], "20");
  EXPECT_EQ(Ask({"midcoders", "delete", name}).code, 0);
  EXPECT_THAT(Ask({"midcoders"}).out, Not(HasSubstr(name)));
  EXPECT_EQ(Ask({"midcoders", "show", name}).code, 3);
}

}  // namespace
}  // namespace superpose::cli
