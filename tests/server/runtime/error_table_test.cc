// The table of reasons (server/ERRORS.md), the enum of the contract and the reasons that the code gives are one list,
// and each reason has a test that provokes it.
#include <fstream>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "superpose/v1/errors.pb.h"

namespace superpose {
namespace {

using ::testing::Contains;
using ::testing::SizeIs;

std::string Content(const std::string& path) {
  std::ostringstream content;
  content << std::ifstream(absl::StrCat(SUPERPOSE_SOURCE_DIR, "/", path)).rdbuf();
  EXPECT_NE(content.str(), "") << path;
  return content.str();
}

struct Row {
  std::string reason;
  std::vector<std::string> codes;
  std::string when;
  std::string what_to_do;
  std::string provoked_by;
};

std::vector<Row> Table() {
  std::vector<Row> rows;
  const std::string table = Content("server/ERRORS.md");
  for (const absl::string_view line : absl::StrSplit(table, '\n')) {
    if (!absl::StartsWith(line, "| `")) continue;
    std::vector<std::string> cells = absl::StrSplit(line, '|');
    EXPECT_THAT(cells, SizeIs(7)) << line;
    if (cells.size() != 7) continue;
    for (std::string& cell : cells) absl::StripAsciiWhitespace(&cell);
    rows.push_back(
        {cells[1].substr(1, cells[1].size() - 2), absl::StrSplit(cells[2], ", "), cells[3], cells[4], cells[5]});
  }
  return rows;
}

std::set<std::string> ReasonsOfTable() {
  std::set<std::string> reasons;
  for (const Row& row : Table()) EXPECT_TRUE(reasons.insert(row.reason).second) << row.reason << " stands twice";
  return reasons;
}

std::set<std::string> ReasonsOfContract() {
  constexpr absl::string_view kPrefix = "ERROR_REASON_";
  std::set<std::string> reasons;
  const auto* descriptor = v1::ErrorReason_descriptor();
  for (int i = 0; i < descriptor->value_count(); ++i) {
    if (descriptor->value(i)->number() != v1::ERROR_REASON_UNSPECIFIED)
      reasons.insert(descriptor->value(i)->name().substr(kPrefix.size()));
  }
  return reasons;
}

std::set<std::string> ReasonsOfCode() {
  static const std::regex kConstant(R"re(string_view k\w+ = "(\w+)";)re");
  std::set<std::string> reasons;
  for (const char* path : {"lib/base/error.h", "server/runtime/reasons.h"}) {
    const std::string content = Content(path);
    for (std::sregex_iterator next(content.begin(), content.end(), kConstant), end; next != end; ++next)
      EXPECT_TRUE(reasons.insert((*next)[1]).second) << (*next)[1] << " stands twice";
  }
  return reasons;
}

// Whether the file has that test: TEST(Suite, Name), TEST_F or TEST_P.
bool HasTest(const std::string& content, const std::string& suite, const std::string& name) {
  return std::regex_search(content, std::regex(absl::StrCat("TEST(_F|_P)?\\(", suite, ",\\s*", name, "\\)")));
}

TEST(ErrorTableTest, EveryReasonOfTheContractStandsInItOnceAndNoOther) {
  EXPECT_EQ(ReasonsOfTable(), ReasonsOfContract());
}

TEST(ErrorTableTest, CodesAreThoseOfGrpc) {
  const std::set<std::string> known = {"CANCELLED",           "INVALID_ARGUMENT",  "DEADLINE_EXCEEDED",  "NOT_FOUND",
                                       "ALREADY_EXISTS",      "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "ABORTED",
                                       "FAILED_PRECONDITION", "INTERNAL",          "UNAVAILABLE",        "DATA_LOSS"};
  for (const Row& row : Table()) {
    for (const std::string& code : row.codes) EXPECT_THAT(known, Contains(code)) << row.reason;
    EXPECT_FALSE(row.when.empty() || row.what_to_do.empty()) << row.reason;
  }
}

// A row names a test that is there and speaks of its reason, or says that this version never gives the reason, and then
// no code does.
TEST(ErrorTableTest, EveryReasonHasATestThatProvokesIt) {
  static const std::regex kTest(R"(`([\w/]+\.cc)` `(\w+)\.(\w+)`)");
  const std::set<std::string> code = ReasonsOfCode();
  for (const Row& row : Table()) {
    if (absl::StartsWith(row.provoked_by, "not given by this version")) {
      EXPECT_EQ(code.count(row.reason), 0) << row.reason << " is given by the code";
      continue;
    }
    std::smatch test;
    ASSERT_TRUE(std::regex_match(row.provoked_by, test, kTest)) << row.reason << ": " << row.provoked_by;
    const std::string content = Content(absl::StrCat("tests/", test[1].str()));
    EXPECT_TRUE(HasTest(content, test[2], test[3])) << row.reason << ": " << row.provoked_by;
    std::string constant = "reason::k";
    for (const std::string& word : std::vector<std::string>(absl::StrSplit(row.reason, '_')))
      absl::StrAppend(&constant, word.substr(0, 1), absl::AsciiStrToLower(word.substr(1)));
    EXPECT_TRUE(absl::StrContains(content, row.reason) || absl::StrContains(content, constant))
        << row.provoked_by << " does not speak of " << row.reason;
  }
}

}  // namespace
}  // namespace superpose
