#include <nlohmann/json.hpp>

#include "absl/strings/str_join.h"
#include "client/cli/exit_code.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/client/cli/verb_list.h"

namespace superpose::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr int kUsage = 2;

// Port 1 is reserved: nobody listens there.
const std::vector<std::string> kNoServer = {"--server", "127.0.0.1:1", "--timeout", "20"};

std::vector<std::string> WithoutServer(std::vector<std::string> arguments) {
  arguments.insert(arguments.end(), kNoServer.begin(), kNoServer.end());
  return arguments;
}

TEST(UsageTest, HelpGoesToStandardOutputAndNamesTheVerbs) {
  Outcome outcome = RunProgram({"--help"});
  EXPECT_EQ(outcome.code, 0);
  EXPECT_EQ(outcome.err, "");
  std::vector<std::string> verbs;
  for (const std::vector<std::string>& verb : VerbsBelow({})) verbs.push_back(verb[0]);
  EXPECT_THAT(verbs,
              ::testing::IsSupersetOf({"info", "models", "corpora", "activations", "train", "midcoders", "snapshots",
                                       "factorize", "explain", "factorizations", "jobs", "tensor"}));
}

TEST(UsageTest, HelpSaysWhatEveryExitCodeMeans) {
  const std::string help = RunProgram({"--help"}).out;
  const size_t codes = help.find("Exit codes");
  ASSERT_NE(codes, std::string::npos);
  for (const ExitCode code : {ExitCode::kOk, ExitCode::kFailed, ExitCode::kUsage, ExitCode::kNotFound,
                              ExitCode::kUnavailable, ExitCode::kJobFailed, ExitCode::kTimeout, ExitCode::kInterrupted})
    EXPECT_THAT(help.substr(codes), HasSubstr("\n  " + std::to_string(static_cast<int>(code)) + " "));
}

TEST(UsageTest, EveryVerbExplainsItselfWithAnExample) {
  const std::vector<std::vector<std::string>> verbs = AllVerbs();
  EXPECT_GT(verbs.size(), 40);
  for (const std::vector<std::string>& verb : verbs) {
    std::vector<std::string> arguments = verb;
    arguments.emplace_back("--help");
    Outcome outcome = RunProgram(arguments);
    const std::string words = absl::StrJoin(verb, " ");
    EXPECT_EQ(outcome.code, 0) << words;
    const size_t examples = outcome.out.find("\nExample");
    ASSERT_NE(examples, std::string::npos) << words;
    // What is asked of a snapshot stands after its name.
    const std::string call = verb.size() > 1 && verb[0] == "analyze" ? "analyze ab12 " + verb[1] : words;
    EXPECT_THAT(outcome.out.substr(examples), HasSubstr("\n  superpose " + call)) << words;
  }
}

TEST(UsageTest, WithoutAVerbItSaysWhereTheVerbsAre) {
  Outcome outcome = RunProgram({});
  EXPECT_EQ(outcome.code, kUsage);
  EXPECT_EQ(outcome.out, "");
  EXPECT_THAT(outcome.err, HasSubstr("superpose --help"));
}

TEST(UsageTest, AVerbThatDoesNotExistIsNamed) {
  Outcome outcome = RunProgram({"modles"});
  EXPECT_EQ(outcome.code, kUsage);
  EXPECT_THAT(outcome.err, HasSubstr("'modles'"));
}

TEST(UsageTest, WrongCommandLinesAskNothingOfTheServer) {
  const std::vector<std::vector<std::string>> wrong = {
      {"activations"},
      {"activations", "text", "--tokens", "1,2"},
      {"activations", "--tokens", "1,two"},
      {"activations", "text", "--top-k", "0"},
      {"activations", "text", "--features", "x"},
      {"train", "--layer", "1"},
      {"train", "--corpus", "c", "--steps", "5", "--epochs", "2"},
      {"train", "--corpus", "c", "--steps", "many"},
      {"train", "--corpus", "c", "--mid-dim", "d_sae"},
      {"train", "--corpus", "c", "--order", "random"},
      {"train", "--corpus", "c", "--wait", "--detach"},
      {"evaluate", "--corpus", "c"},
      {"evaluate", "m", "--corpus", "c", "--split", "test"},
      {"tensor", "midcoders/x"},
      {"tensor", "midcoders/x", "W_mid", "--slice", "3:"},
      {"tensor", "x", "W_mid"},
      {"jobs", "--state", "done"},
      {"job"},
      {"watch"},
      {"cancel", "a", "b"},
      {"midcoders", "show"},
      {"midcoders", "rename", "x"},
      {"midcoders", "import"},
      {"midcoders", "import", "m.pt", "--layer", "1", "--transcoder", "models/tiny/transcoders/layer1"},
      {"midcoders", "export", "x"},
      {"snapshots", "show"},
      {"snapshots", "--midcoder", "a", "--job", "b"},
      {"snapshots", "merge", "a"},
      {"snapshots", "compare", "a"},
      {"snapshots", "take", "a", "--label", "word"},
      {"collect", "--layer", "1"},
      {"collect", "--corpus", "c", "--features", "x"},
      {"collect", "--corpus", "c", "--groups", "pairs,all"},
      {"collect", "--corpus", "c", "--gate", "relu"},
      {"train", "--corpus", "c", "--groups", "pairs"},
      {"analyze"},
      {"analyze", "a"},
      {"analyze", "a", "means"},
      {"analyze", "frequencies"},
      {"analyze", "a", "frequencies", "--features", "5:5"},
      {"analyze", "a", "coactive"},
      {"analyze", "a", "units"},
      {"analyze", "a", "units", "--feature", "1", "--unit", "2"},
      {"analyze", "a", "pairs", "--quantity", "likeness"},
      {"analyze", "a", "pre-activations", "--units", "band:-3,-2"},
      {"factorize"},
      {"factorize", "layer2"},
      {"factorize", "factorizations/a"},
      {"factorize", "2", "--top", "0"},
      {"factorize", "2", "--form", "dense"},
      {"factorize", "2", "--factors", "many"},
      {"factorize", "2", "--features", "x"},
      {"factorize", "2", "--schedule", "linear"},
      {"factorize", "2", "--label", "word"},
      {"factorize", "2", "--wait", "--detach"},
      {"factorizations", "show"},
      {"factorizations", "export", "a"},
      {"factorizations", "import"},
      {"explain"},
      {"explain", "a"},
      {"explain", "a", "--feature", "1", "--factor", "2"},
      {"explain", "a", "--feature", "1", "--match", "b"},
      {"explain", "a", "--shared"},
      {"explain", "a", "--feature", "1", "--by", "code"},
      {"explain", "a", "--feature", "1", "-k", "5"},
      {"explain", "a", "--match", "b", "-k", "5"},
      {"spectrum"},
      {"spectrum", "ab12"},
      {"spectrum", "factorizations/a", "--kind", "predicted"},
      {"spectrum", "2", "-k", "0"},
      {"whiten", "2", "--form", "pca"},
      {"gram", "2", "--theta", "half"},
      {"history", "x", "--rows", "0"},
      {"info", "--timeout", "soon"},
      {"info", "--no-such-option"},
      {"info", "models"},
  };
  for (const std::vector<std::string>& arguments : wrong) {
    Outcome outcome = RunProgram(WithoutServer(arguments));
    EXPECT_EQ(outcome.code, kUsage) << ::testing::PrintToString(arguments) << outcome.err;
    EXPECT_EQ(outcome.out, "");
    EXPECT_THAT(outcome.err, HasSubstr("--help"));
  }
}

TEST(UsageTest, AServerThatIsNotThereHasItsOwnExitCode) {
  for (const char* verb : {"info", "models", "corpora", "jobs", "midcoders"}) {
    Outcome outcome = RunProgram(WithoutServer({verb}));
    EXPECT_EQ(outcome.code, 4);
    EXPECT_EQ(outcome.out, "");
    EXPECT_THAT(outcome.err, HasSubstr("no server answers at 127.0.0.1:1: is it running"));
    EXPECT_THAT(outcome.err, HasSubstr("superposed --config"));
    EXPECT_THAT(outcome.err, HasSubstr("UNAVAILABLE"));
  }
}

TEST(UsageTest, ATextMayBeTheNameOfAVerb) {
  Outcome outcome = RunProgram(WithoutServer({"activations", "info"}));
  EXPECT_EQ(outcome.code, 4) << outcome.err;
}

TEST(UsageTest, WithJsonErrorsAreJson) {
  Outcome outcome = RunProgram(WithoutServer({"models", "--json"}));
  EXPECT_EQ(outcome.out, "");
  nlohmann::json error = nlohmann::json::parse(outcome.err);
  EXPECT_EQ(error["error"]["code"], "UNAVAILABLE");
}

TEST(UsageTest, AUserWhoseNameCannotTravelIsRefused) {
  Outcome outcome = RunProgram({"info", "--user", "a\nb"});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_THAT(outcome.err, HasSubstr("CONFIG_INVALID"));
  EXPECT_THAT(outcome.err, Not(HasSubstr("a\nb")));
}

TEST(UsageTest, TheServersAddressMayStandInTheEnvironment) {
  setenv("SUPERPOSE_SERVER", "127.0.0.1:1", 1);
  Outcome outcome = RunProgram({"info"});
  unsetenv("SUPERPOSE_SERVER");
  EXPECT_EQ(outcome.code, 4);
  EXPECT_THAT(outcome.err, HasSubstr("127.0.0.1:1:"));
}

TEST(UsageTest, VersionIsPrinted) {
  Outcome outcome = RunProgram({"--version"});
  EXPECT_EQ(outcome.code, 0);
  EXPECT_THAT(outcome.out, HasSubstr("."));
}

}  // namespace
}  // namespace superpose::cli
