// A fixture: command lines against the real server, and what they print.
#pragma once

#include <iterator>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "tests/client/cli/run.h"
#include "tests/client/tiny_server_test.h"
#include "tests/support/test_folder.h"

namespace superpose::cli {

using Words = std::vector<std::string>;

class AskingTest : public TinyServerTest {
 protected:
  static Outcome Ask(Words arguments, int width = 0) {
    arguments.insert(arguments.end(), {"--server", server().address(), "--user", "ada"});
    return RunProgram(arguments, width);
  }
  static nlohmann::json AskForJson(Words arguments) {
    arguments.emplace_back("--json");
    const Outcome outcome = Ask(std::move(arguments));
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    return nlohmann::json::parse(outcome.out, nullptr, /*allow_exceptions=*/false);
  }
  // The words of each line that is printed.
  static std::vector<Words> AskForLines(const Words& arguments) {
    const Outcome outcome = Ask(arguments);
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    std::vector<Words> all;
    std::istringstream lines(outcome.out);
    for (std::string line; std::getline(lines, line);) {
      std::istringstream words(line);
      all.emplace_back(std::istream_iterator<std::string>(words), std::istream_iterator<std::string>());
    }
    return all;
  }
  // A command line that fails so, says why, and prints nothing.
  static void ExpectRefused(const Words& arguments, int code, const Words& texts) {
    const Outcome outcome = Ask(arguments);
    EXPECT_EQ(outcome.code, code) << ::testing::PrintToString(arguments) << outcome.err;
    EXPECT_EQ(outcome.out, "") << ::testing::PrintToString(arguments);
    for (const std::string& text : texts) {
      EXPECT_THAT(outcome.err, ::testing::HasSubstr(text)) << ::testing::PrintToString(arguments);
    }
  }

  const TestFolder folder_;
};

// 12 factors of 80 decoders, quickly.
inline Words FactorizeWith(const Words& more) {
  Words arguments = {"factorize", "1", "--features", "0:80", "--factors", "12", "--epochs", "3", "--batch-size", "32"};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return arguments;
}

}  // namespace superpose::cli
