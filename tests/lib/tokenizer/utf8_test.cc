#include "lib/tokenizer/utf8.h"

#include "tests/lib/tokenizer/fixtures.h"

namespace superpose {
namespace {

TEST(Utf8, EveryCodePointIsReadAsItIsWritten) {
  for (uint32_t code = 0; code <= 0x10ffff; ++code) {
    if (code >= 0xd800 && code <= 0xdfff) continue;
    std::string text;
    AppendUtf8(code, &text);
    Utf8Step step = NextUtf8(text + "\x80");
    ASSERT_TRUE(step.valid) << code;
    ASSERT_EQ(step.code_point, code);
    ASSERT_EQ(step.length, static_cast<int>(text.size())) << code;
    ASSERT_EQ(text.size(), code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4) << code;
  }
}

TEST(Utf8, KnownSpellings) {
  EXPECT_EQ(NextUtf8("€").code_point, 0x20ac);
  EXPECT_EQ(NextUtf8("😀x").code_point, 0x1f600);
  EXPECT_EQ(NextUtf8(std::string(1, '\0')).length, 1);
}

TEST(Utf8, SurrogatesOverlongFormsAndHugeNumbersAreInvalid) {
  for (const char* text :
       {"\xed\xa0\x80", "\xed\xbf\xbf", "\xc0\x80", "\xc1\xbf", "\xe0\x80\x80", "\xe0\x9f\xbf", "\xf0\x80\x80\x80",
        "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff", "\x80", "\xbf"}) {
    Utf8Step step = NextUtf8(text);
    EXPECT_FALSE(step.valid) << testing::PrintToString(text);
    EXPECT_EQ(step.length, 1) << testing::PrintToString(text);
  }
}

TEST(Utf8, ACutOffCodePointIsOneInvalidStretch) {
  const std::string whole = "😀";
  for (size_t size = 1; size < whole.size(); ++size) {
    Utf8Step step = NextUtf8(whole.substr(0, size));
    EXPECT_FALSE(step.valid);
    EXPECT_EQ(step.length, static_cast<int>(size));
    EXPECT_EQ(ReplaceInvalidUtf8(whole.substr(0, size) + "a"),
              "\xef\xbf\xbd"
              "a");
  }
}

TEST(Utf8, ReplacementIsPythons) {
  for (const auto& fixture : JsonFixture("replacements.json")) {
    std::string bytes;
    for (int byte : fixture["bytes"]) bytes.push_back(static_cast<char>(byte));
    EXPECT_EQ(ReplaceInvalidUtf8(bytes), fixture["text"].get<std::string>()) << fixture["bytes"];
  }
  EXPECT_EQ(ReplaceInvalidUtf8(""), "");
}

}  // namespace
}  // namespace superpose
