#include "client/cli/text.h"

#include "gtest/gtest.h"

namespace superpose::cli {
namespace {

TEST(TextTest, WidthCountsColumnsNotBytes) {
  EXPECT_EQ(DisplayWidth(""), 0);
  EXPECT_EQ(DisplayWidth("cat"), 3);
  EXPECT_EQ(DisplayWidth("naïve"), 5);
  EXPECT_EQ(DisplayWidth("日本"), 4);
  EXPECT_EQ(DisplayWidth("😀"), 2);
  EXPECT_EQ(DisplayWidth("e\xcc\x81"), 1);  // e and a combining accent
}

TEST(TextTest, BytesThatAreNoUtf8TakeOneColumnEach) {
  EXPECT_EQ(DisplayWidth("\xff\xfe"), 2);
  EXPECT_EQ(DisplayWidth("\xe6\x97"), 2);  // cut within a character
  EXPECT_EQ(DisplayWidth("\x80"), 1);
}

TEST(TextTest, LongTextIsCutWithAnEllipsis) {
  EXPECT_EQ(Truncate("transcoder", 10), "transcoder");
  EXPECT_EQ(Truncate("transcoder", 9), "transcod…");
  EXPECT_EQ(Truncate("transcoder", 1), "…");
  EXPECT_EQ(Truncate("transcoder", 0), "");
}

TEST(TextTest, TheBeginningCanBeCutInstead) {
  EXPECT_EQ(TruncateStart("transcoder", 10), "transcoder");
  EXPECT_EQ(TruncateStart("transcoder", 6), "…coder");
  EXPECT_EQ(TruncateStart("transcoder", 1), "…");
  EXPECT_EQ(TruncateStart("transcoder", 0), "");
  EXPECT_EQ(TruncateStart("日本語", 4), "…語");
  EXPECT_EQ(TruncateStart("xe\xcc\x81y", 2), "…y");  // the accent goes with its letter
}

TEST(TextTest, WideCharactersAreNeverCutInHalf) {
  EXPECT_EQ(Truncate("日本語", 5), "日本…");
  EXPECT_EQ(Truncate("日本語", 4), "日…");
  EXPECT_EQ(Truncate("日本語", 2), "…");
}

TEST(TextTest, ControlCharactersAreShown) {
  EXPECT_EQ(Visible("a\nb\tc\r"), "a\\nb\\tc\\r");
  EXPECT_EQ(Visible("\x1b[31mred\x7f"), "\\x1b[31mred\\x7f");
  EXPECT_EQ(Visible("\xc2\x9b"), "\\x9b");  // the one-character form of escape-bracket
  EXPECT_EQ(Visible("naïve 日本"), "naïve 日本");
}

}  // namespace
}  // namespace superpose::cli
