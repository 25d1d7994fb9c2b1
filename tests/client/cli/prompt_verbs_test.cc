#include <cmath>
#include <nlohmann/json.hpp>

#include "client/cli/text.h"
#include "tests/client/cli/run.h"
#include "tests/client/tiny_server_test.h"

namespace superpose::cli {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

class PromptVerbsTest : public TinyServerTest {
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

int64_t Lines(const std::string& text) { return std::count(text.begin(), text.end(), '\n'); }

TEST_F(PromptVerbsTest, NextIsATableOfTheMostLikelyTokens) {
  const Outcome outcome = Ask({"next", "--tokens", "5,6,7", "--tokens", "8", "--top-k", "3"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(Lines(outcome.out), 1 + 2 * 3);
  const json answer = AskForJson({"next", "--tokens", "5,6,7", "--tokens", "8", "--top-k", "3"});
  ASSERT_EQ(answer["predictions"].size(), 2);
  EXPECT_EQ(answer["predictions"][0]["position"], 2);
  EXPECT_THAT(outcome.out, HasSubstr(answer["predictions"][1]["token_ids"][0].dump()));
}

TEST_F(PromptVerbsTest, NextAfterEveryPositionAndOfChosenTokens) {
  const json answer = AskForJson({"next", "--tokens", "5,6,7", "--top-k", "0", "--ids", "1,2", "--all"});
  ASSERT_EQ(answer["predictions"].size(), 3);
  EXPECT_EQ(answer["predictions"][1]["token_ids"], json({1, 2}));
}

TEST_F(PromptVerbsTest, InterveneShowsPositionsAndEffects) {
  const Outcome outcome =
      Ask({"intervene", "--tokens", "255,5,6", "--set", "1:3=12", "--set", "1:4=2@1,2", "--top-k", "2"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr("KL"));
  EXPECT_THAT(outcome.out, HasSubstr("change"));
  EXPECT_GE(Lines(outcome.out), (1 + 3) + 2 + (1 + 2));
  const json answer = AskForJson({"intervene", "--tokens", "255,5,6", "--set", "1:3=12", "--top-k", "2"});
  ASSERT_EQ(answer["kl"].size(), 3);
  EXPECT_EQ(answer["kl"][0], 0);
  EXPECT_GT(answer["kl"][1], 0);
}

TEST_F(PromptVerbsTest, TheModeIsDeltaUnlessReplaceIsSaid) {
  const std::vector<std::string> delta = {"intervene", "--tokens", "255,5,6", "--set", "1:3=12"};
  std::vector<std::string> replace = delta;
  replace.insert(replace.end(), {"--mode", "replace"});
  EXPECT_EQ(AskForJson(delta)["kl"][0], 0);
  EXPECT_GT(AskForJson(replace)["kl"][0], 0);
}

TEST_F(PromptVerbsTest, TablesFitTheTerminal) {
  for (const Outcome& outcome :
       {Ask({"next", "--tokens", "1,2"}, 70), Ask({"intervene", "--tokens", "1,2", "--set", "1:3=12"}, 90)}) {
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    std::istringstream lines(outcome.out);
    for (std::string line; std::getline(lines, line);) EXPECT_LE(DisplayWidth(line), 90) << line;
  }
}

TEST_F(PromptVerbsTest, WhatTheServerRefusesIsExplained) {
  EXPECT_THAT(Ask({"next", "text"}).err, HasSubstr("TOKENIZER_MISSING"));
  EXPECT_THAT(Ask({"intervene", "--tokens", "1", "--set", "1:256=1"}).err, HasSubstr("FEATURE_OUT_OF_RANGE"));
  EXPECT_EQ(Ask({"intervene", "--tokens", "1", "--set", "0:1=1"}).code, 3);
}

TEST_F(PromptVerbsTest, WrongCommandLinesAskNothing) {
  for (const std::vector<std::string>& arguments : std::vector<std::vector<std::string>>{
           {"next"},
           {"next", "a", "--tokens", "1"},
           {"next", "--tokens", "x"},
           {"next", "a", "--top-k", "1001"},
           {"next", "a", "--ids", "x"},
           {"intervene", "a"},
           {"intervene", "--set", "1:2=3"},
           {"intervene", "a", "--set", "1:2"},
           {"intervene", "a", "--set", "1:2=3", "--mode", "add"},
       }) {
    EXPECT_EQ(Ask(arguments).code, 2) << ::testing::PrintToString(arguments);
  }
}

}  // namespace
}  // namespace superpose::cli
