#include <fstream>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "client/cli/text.h"
#include "tests/client/cli/run.h"
#include "tests/client/tiny_server_test.h"

namespace superpose::cli {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

class ReadVerbsTest : public TinyServerTest {
 protected:
  static Outcome Ask(std::vector<std::string> arguments, int width = 0) {
    arguments.insert(arguments.end(), {"--server", server().address()});
    return RunProgram(arguments, width);
  }
  static json AskForJson(std::vector<std::string> arguments) {
    arguments.emplace_back("--json");
    Outcome outcome = Ask(std::move(arguments));
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    return json::parse(outcome.out);
  }
};

void ExpectFits(const Outcome& outcome, int width) {
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  std::istringstream lines(outcome.out);
  for (std::string line; std::getline(lines, line);) EXPECT_LE(DisplayWidth(line), width) << line;
}

std::string BytesOf(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

TEST_F(ReadVerbsTest, InfoSaysWhatTheServerIs) {
  Outcome outcome = Ask({"info"});
  EXPECT_EQ(outcome.code, 0);
  EXPECT_THAT(outcome.out, HasSubstr("64 tokens"));
  EXPECT_EQ(AskForJson({"info"})["device"], "cpu");
}

TEST_F(ReadVerbsTest, ModelsShowsModelsAndTranscoders) {
  Outcome outcome = Ask({"models"});
  EXPECT_EQ(outcome.code, 0);
  EXPECT_THAT(outcome.out, HasSubstr("models/tiny "));
  EXPECT_THAT(outcome.out, HasSubstr("models/tiny/transcoders/layer1"));
  EXPECT_EQ(AskForJson({"models"})["models"][0]["transcoders"][0]["d_sae"], "256");
}

TEST_F(ReadVerbsTest, OneModelIsShownWithItsTensors) {
  Outcome outcome = Ask({"models", "tiny"});
  EXPECT_THAT(outcome.out, HasSubstr("W_dec"));
  EXPECT_THAT(outcome.out, HasSubstr("float32 [256, 32]"));
  EXPECT_EQ(AskForJson({"models", "models/tiny"})["name"], "models/tiny");
}

TEST_F(ReadVerbsTest, AModelThatDoesNotExistHasItsOwnExitCode) {
  Outcome outcome = Ask({"models", "other"});
  EXPECT_EQ(outcome.code, 3);
  EXPECT_EQ(outcome.out, "");
  EXPECT_THAT(outcome.err, HasSubstr("(NOT_FOUND, MODEL_NOT_FOUND)"));
  json error = json::parse(Ask({"models", "other", "--json"}).err);
  EXPECT_EQ(error["error"]["reason"], "MODEL_NOT_FOUND");
}

TEST_F(ReadVerbsTest, CorporaShowsTheirSize) {
  EXPECT_THAT(Ask({"corpora"}).out, HasSubstr("corpora/rows"));
  EXPECT_EQ(AskForJson({"corpora"})["corpora"][0]["row_length"], "32");
}

TEST_F(ReadVerbsTest, TablesFitTheTerminal) {
  for (const int width : {130, 80, 60}) ExpectFits(Ask({"models"}, width), width);
  ExpectFits(Ask({"corpora"}, 80), 80);
  ExpectFits(Ask({"info"}, 50), 50);
  ExpectFits(Ask({"activations", "--tokens", "1,2,3", "--layer", "1"}, 60), 60);
}

TEST_F(ReadVerbsTest, ActivationsOfTokensAreATableWithTheStrongestFeaturesFirst) {
  Outcome outcome = Ask({"activations", "--tokens", "5,6,7", "--tokens", "8", "--layer", "1", "--show", "3"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, StartsWith("models/tiny/transcoders/layer1, 256 features\n"));
  EXPECT_EQ(std::count(outcome.out.begin(), outcome.out.end(), '\n'), 2 + 4);
  json activations = AskForJson({"activations", "--tokens", "5,6,7", "--tokens", "8", "--layer", "1"});
  EXPECT_EQ(activations["token_ids"], json({5, 6, 7, 8}));
  EXPECT_EQ(activations["lengths"], json({3, 1}));
  // The strongest feature of the first token, as the table shows it.
  const json& layer = activations["layers"][0];
  int64_t end = layer["row_splits"][1];
  std::vector<float> values = layer["values"];
  auto strongest = std::max_element(values.begin(), values.begin() + end) - values.begin();
  EXPECT_THAT(outcome.out, HasSubstr("  " + layer["feature_ids"][strongest].dump() + ":"));
}

TEST_F(ReadVerbsTest, TheOnlyTranscoderNeedsNoLayer) {
  EXPECT_EQ(AskForJson({"activations", "--tokens", "5"})["layers"][0]["layer"], 1);
}

TEST_F(ReadVerbsTest, ActivationsCanBeFiltered) {
  json top = AskForJson({"activations", "--tokens", "5,6,7", "--top-k", "2"});
  EXPECT_LE(top["layers"][0]["values"].size(), 6);
  json chosen = AskForJson({"activations", "--tokens", "5,6,7", "--features", "1,2,3"});
  for (int feature : chosen["layers"][0]["feature_ids"]) EXPECT_LE(feature, 3);
}

TEST_F(ReadVerbsTest, MistakesOfTheQueryAreExplained) {
  Outcome outcome = Ask({"activations", "--tokens", "999", "--layer", "1"});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_THAT(outcome.err, HasSubstr("TOKEN_OUT_OF_RANGE"));
  EXPECT_THAT(Ask({"activations", "text"}).err, HasSubstr("TOKENIZER_MISSING"));
  EXPECT_EQ(Ask({"activations", "--tokens", "1", "--layer", "0"}).code, 3);
}

TEST_F(ReadVerbsTest, ATensorIsSavedForNumPy) {
  std::filesystem::path file = server().folder() / "part.npy";
  Outcome outcome = Ask({"tensor", "models/tiny/transcoders/layer1", "W_dec", "--slice", "3:5,:", "-o", file.string()});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr("float32 [2, 32]"));
  ASSERT_OK_AND_ASSIGN(client::Tensor tensor,
                       client().ReadTensor("models/tiny/transcoders/layer1", "W_dec", {client::Slice::Range(3, 5)}));
  std::string bytes = BytesOf(file);
  EXPECT_THAT(bytes, StartsWith("\x93NUMPY"));
  EXPECT_THAT(bytes, HasSubstr("'shape': (2, 32)"));
  EXPECT_EQ(bytes.substr(128), tensor.bytes);
  Outcome to_pipe = Ask({"tensor", "models/tiny/transcoders/layer1", "W_dec", "--slice", "3:5", "-o", "-"});
  EXPECT_EQ(to_pipe.out, bytes);
}

TEST_F(ReadVerbsTest, NumbersAndJsonDoNotShareStandardOutput) {
  Outcome both = Ask({"tensor", "models/tiny/transcoders/layer1", "W_dec", "-o", "-", "--json"});
  EXPECT_EQ(both.code, 2);
  EXPECT_EQ(both.out, "");
  json error = json::parse(both.err);
  EXPECT_EQ(error["error"]["reason"], "CONFIG_INVALID");
  EXPECT_THAT(error["error"]["message"].get<std::string>(), HasSubstr("the name of a file"));
  std::filesystem::path file = server().folder() / "described.npy";
  json report = AskForJson({"tensor", "models/tiny/transcoders/layer1", "W_dec", "-o", file.string()});
  EXPECT_EQ(report["shape"], json({256, 32}));
}

TEST_F(ReadVerbsTest, ATensorsOwnerIsNamedInFull) {
  for (const char* name : {"ab12", "tiny", "midcoders/", "corpora/rows", "midcoder/ab12"}) {
    Outcome wrong = Ask({"tensor", name, "W_mid"});
    EXPECT_EQ(wrong.code, 2) << name;
    EXPECT_THAT(wrong.err, HasSubstr(absl::StrCat("'", name, "' is no full name: write midcoders/ab12, ")));
  }
  Outcome missing = Ask({"tensor", "midcoders/none", "W_mid", "-o", "-"});
  EXPECT_EQ(missing.code, 3);
  EXPECT_THAT(missing.err, HasSubstr("there is no midcoder \"midcoders/none\"; superpose midcoders lists full names, "
                                     "such as midcoders/ab12 (NOT_FOUND, MIDCODER_NOT_FOUND)"));
  EXPECT_THAT(Ask({"tensor", "models/tiny", "W_none", "-o", "-"}).err, Not(HasSubstr("superpose models lists")))
      << "the model is there";
}

TEST_F(ReadVerbsTest, ATensorThatCannotBeHadIsExplained) {
  EXPECT_EQ(Ask({"tensor", "models/tiny", "W_none", "-o", "-"}).code, 3);
  EXPECT_THAT(Ask({"tensor", "models/tiny/transcoders/layer1", "W_dec", "--slice", "0:999", "-o", "-"}).err,
              HasSubstr("SLICE_OUT_OF_RANGE"));
  Outcome unwritable = Ask({"tensor", "models/tiny/transcoders/layer1", "W_dec", "-o", "/no/such/folder/x.npy"});
  EXPECT_EQ(unwritable.code, 1);
  EXPECT_THAT(unwritable.err, HasSubstr("FILE_WRITE_FAILED"));
}

}  // namespace
}  // namespace superpose::cli
