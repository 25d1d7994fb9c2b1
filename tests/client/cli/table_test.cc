#include "client/cli/table.h"

#include <sstream>

#include "client/cli/text.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace superpose::cli {
namespace {

using ::testing::HasSubstr;

int WidestLine(const std::string& text) {
  std::istringstream lines(text);
  int widest = 0;
  for (std::string line; std::getline(lines, line);) widest = std::max(widest, DisplayWidth(line));
  return widest;
}

TEST(TableTest, ColumnsAreAsWideAsTheirWidestCell) {
  Table table({{"name"}, {"count", true}, {"kind"}});
  table.AddRow({"a", "1", "x"});
  table.AddRow({"longer", "12,345", "y"});
  EXPECT_EQ(table.Render(0),
            "name     count  kind\n"
            "a            1  x\n"
            "longer  12,345  y\n");
}

TEST(TableTest, WithoutALimitNothingIsCut) {
  Table table({{"text"}});
  std::string text(500, 'x');
  table.AddRow({text});
  EXPECT_THAT(table.Render(0), HasSubstr(text));
}

TEST(TableTest, TheWidestTextColumnIsCutToFit) {
  Table table({{"id"}, {"value", true}, {"text"}});
  table.AddRow({"abc", "1234567890", std::string(50, 'x')});
  std::string rendered = table.Render(30);
  EXPECT_EQ(WidestLine(rendered), 30);
  EXPECT_THAT(rendered, HasSubstr("abc"));
  EXPECT_THAT(rendered, HasSubstr("1234567890"));
  EXPECT_THAT(rendered, HasSubstr("xxx…"));
}

TEST(TableTest, ColumnsAreCutEvenly) {
  Table table({{"a"}, {"b"}});
  table.AddRow({std::string(40, 'x'), std::string(30, 'y')});
  EXPECT_EQ(table.Render(22),
            "a           b\n"
            "xxxxxxxxx…  yyyyyyyyy…\n");
}

TEST(TableTest, NamesLoseTheirBeginning) {
  Table table({NameColumn("midcoder"), {"n", true}});
  table.AddRow({"midcoders/0123456789ab", "1"});
  EXPECT_EQ(table.Render(16),
            "midcoder       n\n"
            "…0123456789ab  1\n");
}

TEST(TableTest, NumbersAreNeverCut) {
  Table table({{"n", true}, {"text"}});
  table.AddRow({"123456789", "abcdefghij"});
  EXPECT_EQ(table.Render(5),
            "        n  text\n"
            "123456789  abc…\n");
}

TEST(TableTest, WhereColumnsDoNotFitRowsAreBlocks) {
  Table table({NameColumn("name"), {"first number", true}, {"second", true}, {"empty"}});
  table.AddRow({"models/demo/transcoders/layer2", "1,234,567", "8", ""});
  table.AddRow({"b", "2", "9", ""});
  EXPECT_EQ(table.Render(24),
            "name          …rs/layer2\n"
            "first number  1,234,567\n"
            "second        8\n"
            "\n"
            "name          b\n"
            "first number  2\n"
            "second        9\n");
}

TEST(TableTest, WideCharactersStayInLine) {
  Table table({{"token"}, {"n", true}});
  table.AddRow({"日本", "1"});
  table.AddRow({"cat", "2"});
  EXPECT_EQ(table.Render(0),
            "token  n\n"
            "日本   1\n"
            "cat    2\n");
}

TEST(TableTest, CellsCannotBreakTheTable) {
  Table table({{"token"}});
  table.AddRow({"a\nb\x1b[2J"});
  EXPECT_EQ(table.Render(0), "token\na\\nb\\x1b[2J\n");
}

TEST(TableTest, ShortRowsAreFilledAndAnEmptyTableHasItsHeading) {
  Table table({{"a"}, {"b"}});
  EXPECT_TRUE(table.empty());
  EXPECT_EQ(table.Render(80), "a  b\n");
  table.AddRow({"x"});
  EXPECT_EQ(table.Render(80), "a  b\nx\n");
}

}  // namespace
}  // namespace superpose::cli
