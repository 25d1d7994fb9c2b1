// Factorizing, and questions to factorizations and directions, against the real server.
#include <filesystem>

#include "absl/strings/str_split.h"
#include "client/cli/text.h"
#include "tests/client/cli/asking_test.h"

namespace superpose::cli {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::Not;
using ::testing::SizeIs;

class FactorizationVerbsTest : public AskingTest {
 protected:
  static std::string Made(const std::vector<std::string>& more = {}) {
    return AskForJson(FactorizeWith(more))["factorization"]["factorization"];
  }
};

TEST_F(FactorizationVerbsTest, FactorizingWaitsAndShowsWhatItIsWorth) {
  const Outcome outcome = Ask(FactorizeWith({"--label", "run=first"}));
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  for (const char* word : {"error fitted", "held out", "k-means", "PCA", "stability"}) {
    EXPECT_THAT(outcome.out, HasSubstr(word));
  }
  const std::vector<std::string> lines = absl::StrSplit(outcome.out, '\n', absl::SkipEmpty());
  EXPECT_THAT(lines.back(), MatchesRegex("factorizations/[^ ]+"));
  EXPECT_THAT(outcome.err, HasSubstr(": succeeded, "));
  EXPECT_THAT(Ask({"factorizations"}).out, HasSubstr(lines.back()));
  const Outcome shown = Ask({"factorizations", "show", lines.back()});
  EXPECT_THAT(shown.out, HasSubstr("run=first"));
  EXPECT_THAT(shown.out, HasSubstr("float32 [12, 32]"));
}

TEST_F(FactorizationVerbsTest, EveryOptionOfFactorizingReachesTheSpec) {
  const json job = AskForJson(FactorizeWith({"--top",
                                             "60",
                                             "--theta",
                                             "0.25",
                                             "--factor-param",
                                             "0.125",
                                             "--form",
                                             "topk",
                                             "--codes",
                                             "3",
                                             "--lr",
                                             "0.5",
                                             "--schedule",
                                             "reference",
                                             "--seed",
                                             "7",
                                             "--held-out",
                                             "0.25",
                                             "--stability-runs",
                                             "2",
                                             "--duplicate-cosine",
                                             "0.75",
                                             "--label",
                                             "a=1",
                                             "--adam-eps",
                                             "1e-6",
                                             "--weight-decay",
                                             "0.0625",
                                             "--by",
                                             "training",
                                             "--priority",
                                             "3",
                                             "--request-id",
                                             "this-one",
                                             "--detach"}));
  EXPECT_EQ(job["priority"], 3);
  EXPECT_EQ(job["request_id"], "this-one");
  const json& spec = job["factorize_decoders"];
  EXPECT_EQ(spec["directions"]["transcoder"], "models/tiny/transcoders/layer1");
  EXPECT_EQ(spec["directions"]["top"], 60);
  EXPECT_EQ(spec["directions"]["by"], "FREQUENCY_SOURCE_TRAINING");
  EXPECT_EQ(spec["form"], "FACTORIZATION_FORM_TOPK");
  EXPECT_EQ(spec["schedule"], "FACTORIZATION_SCHEDULE_REFERENCE");
  EXPECT_EQ(spec["seed"], "7");
  EXPECT_EQ(spec["labels"], json({{"a", "1"}}));
  const std::map<std::string, double> numbers = {{"factors", 12},       {"codes", 3},
                                                 {"theta", 0.25},       {"factor_param", 0.125},
                                                 {"epochs", 3},         {"batch_size", 32},
                                                 {"lr", 0.5},           {"weight_decay", 0.0625},
                                                 {"adam_eps", 1e-6},    {"held_out_share", 0.25},
                                                 {"stability_runs", 2}, {"duplicate_cosine", 0.75}};
  for (const auto& [name, value] : numbers) EXPECT_EQ(spec[name], value) << name;
}

TEST_F(FactorizationVerbsTest, AnEstimateIsATable) {
  const Outcome outcome = Ask(FactorizeWith({"--estimate"}));
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr("12 factors for 72 decoders, and 8 held out"));
  EXPECT_THAT(outcome.out, HasSubstr("peak while it runs"));
  EXPECT_EQ(AskForJson(FactorizeWith({"--estimate"}))["decoders"], "72");
}

TEST_F(FactorizationVerbsTest, AFactorizationIsMeasuredAgain) {
  const std::string made = Made();
  const Outcome outcome = Ask({"factorize", "1", "--features", "0:80", "--start", made, "--epochs", "0"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr("k-means"));
}

TEST_F(FactorizationVerbsTest, JobsOfFactorizationsAreShownWithWhatTheyMade) {
  const json job = AskForJson(FactorizeWith({}));
  const Outcome shown = Ask({"job", job["name"]});
  EXPECT_THAT(shown.out, HasSubstr("factorize models/tiny/transcoders/layer1"));
  EXPECT_THAT(shown.out, HasSubstr(job["factorization"]["factorization"]));
  EXPECT_THAT(Ask({"jobs"}).out, HasSubstr("factorize models/tiny/"));
}

TEST_F(FactorizationVerbsTest, EveryQuestionHasItsTableAndItsFile) {
  const std::string made = Made();
  const std::string id = made.substr(made.find('/') + 1);
  const std::vector<std::vector<std::string>> questions = {{"explain", id, "--feature", "17"},
                                                           {"explain", id, "--feature", "17", "--shared", "-k", "5"},
                                                           {"explain", id, "--factor", "3"},
                                                           {"explain", id, "--factor", "3", "--by", "cosine"},
                                                           {"explain", id, "--match", id},
                                                           {"spectrum", "1", "--features", "0:40"},
                                                           {"spectrum", made, "--by-magnitude", "--vectors"},
                                                           {"whiten", "1", "--features", "0:40", "--cutoff", "0.1"},
                                                           {"whiten", made, "--form", "notebook"},
                                                           {"gram", "1", "--top", "40", "--theta", "0.1"},
                                                           {"gram", made}};
  const std::string path = folder_.File("x.npy");
  for (std::vector<std::string> arguments : questions) {
    const std::string words = ::testing::PrintToString(arguments);
    const Outcome outcome = Ask(arguments, 70);
    EXPECT_EQ(outcome.code, 0) << words << outcome.err;
    const std::vector<std::string> lines = absl::StrSplit(outcome.out, '\n', absl::SkipEmpty());
    EXPECT_GE(lines.size(), 2) << words << "\n" << outcome.out;
    for (const std::string& line : lines) EXPECT_LE(DisplayWidth(line), 70) << words << "\n" << line;
    arguments.insert(arguments.end(), {"-o", path});
    EXPECT_EQ(Ask(arguments).code, 0) << words << ": its main tensor";
    EXPECT_TRUE(std::filesystem::remove(path)) << words;
  }
}

TEST_F(FactorizationVerbsTest, AnAnswersTensorsAreWrittenAsFiles) {
  const Outcome outcome = Ask({"spectrum", "1", "--features", "0:40", "-k", "3", "--vectors", "-o", folder_.File("s")});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr(folder_.File("s/U.npy") + ": float32 [40, 3]"));
  const json answer = AskForJson({"gram", "1", "--features", "0:40", "-o", folder_.File("c.npy")});
  EXPECT_EQ(answer["tensors"]["values"]["shape"], json({40, 40}));
  EXPECT_THAT(AskForJson({"gram", "1", "--features", "7,5"})["tensors"]["feature"], SizeIs(2));
}

TEST_F(FactorizationVerbsTest, AnExportedFileIsImportedAgainAndDeleted) {
  const std::string made = Made();
  const std::string path = folder_.File("f.pt");
  const Outcome outcome = Ask({"factorizations", "export", made, path});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr(path + ": "));
  const Outcome imported = Ask({"factorizations", "import", path, "--label", "from=file"});
  EXPECT_EQ(imported.code, 0) << imported.err;
  ASSERT_THAT(imported.out, MatchesRegex("factorizations/[^ \n]+\n"));
  const std::string name = imported.out.substr(0, imported.out.size() - 1);
  const Outcome shown = Ask({"factorizations", "show", name});
  EXPECT_THAT(shown.out, HasSubstr("reference .pt"));
  EXPECT_THAT(shown.out, HasSubstr("from=file"));
  EXPECT_EQ(Ask({"tensor", name, "factors", "-o", folder_.File("f.npy")}).code, 0);
  EXPECT_EQ(Ask({"factorizations", "delete", name}).code, 0);
  EXPECT_EQ(Ask({"factorizations", "show", name}).code, 3);
  EXPECT_THAT(Ask({"factorizations"}).out, Not(HasSubstr(name)));
}

TEST_F(FactorizationVerbsTest, WhatCannotBeDoneIsExplained) {
  EXPECT_THAT(Ask(FactorizeWith({"--theta", "0"})).err, HasSubstr("CONFIG_INVALID"));
  EXPECT_THAT(Ask({"factorize", "1", "--features", "band:5,6"}).err, HasSubstr("EMPTY_SELECTION"));
  EXPECT_EQ(Ask({"explain", "none", "--factor", "1"}).code, 3);
  EXPECT_EQ(Ask({"spectrum", "factorizations/none"}).code, 3);
  EXPECT_EQ(Ask({"factorizations", "export", "none", folder_.File("f.pt")}).code, 3);
  EXPECT_EQ(Ask({"factorizations", "import", folder_.File("none.pt")}).code, 3);
  const std::string made = Made();
  const Outcome feature = Ask({"explain", made, "--feature", "200"});
  EXPECT_EQ(feature.code, 1);
  EXPECT_THAT(feature.err, HasSubstr("FEATURE_OUT_OF_RANGE"));
}

}  // namespace
}  // namespace superpose::cli
