#include "lib/tokenizer/gpt2_splitter.h"

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "tests/lib/tokenizer/fixtures.h"

namespace superpose {
namespace {

using testing::ElementsAre;

std::vector<std::string> Split(absl::string_view text) {
  std::vector<std::string> words;
  SplitGpt2(text, [&](absl::string_view word) { words.emplace_back(word); });
  return words;
}

TEST(Gpt2Splitter, SplitsAsHuggingFaceTokenizersDo) {
  for (const auto& fixture : JsonFixture("splits.json"))
    EXPECT_EQ(Split(fixture["text"].get<std::string>()), fixture["words"].get<std::vector<std::string>>())
        << fixture["text"];
}

TEST(Gpt2Splitter, NothingHasNoWords) { EXPECT_TRUE(Split("").empty()); }

TEST(Gpt2Splitter, SpacesLeaveTheirLastOneToTheWord) {
  EXPECT_THAT(Split("a   b"), ElementsAre("a", "  ", " b"));
  EXPECT_THAT(Split("a   "), ElementsAre("a", "   "));
  EXPECT_THAT(Split("a \n b"), ElementsAre("a", " \n", " b"));
  EXPECT_THAT(Split("a\n\nb"), ElementsAre("a", "\n", "\n", "b"));
}

TEST(Gpt2Splitter, ContractionsAreWordsInLowerCaseOnly) {
  EXPECT_THAT(Split("it's"), ElementsAre("it", "'s"));
  EXPECT_THAT(Split("IT'S"), ElementsAre("IT", "'", "S"));
  EXPECT_THAT(Split("they'llama"), ElementsAre("they", "'ll", "ama"));
  EXPECT_THAT(Split("a 's"), ElementsAre("a", " '", "s"));
}

TEST(Gpt2Splitter, TheWordsMakeUpTheText) {
  std::string text;
  for (const auto& fixture : JsonFixture("splits.json")) text += fixture["text"].get<std::string>();
  std::string joined;
  for (const std::string& word : Split(text)) {
    ASSERT_FALSE(word.empty());
    joined += word;
  }
  EXPECT_EQ(joined, text);
}

TEST(Gpt2Splitter, AWordMayBeLong) {
  for (const std::string& piece : {std::string("a"), std::string(" "), std::string("é"), std::string("\u3000")}) {
    std::string text;
    for (int i = 0; i < 1'000'000; ++i) text += piece;
    EXPECT_EQ(Split(text).size(), 1) << piece;
  }
}

TEST(Gpt2Splitter, ACutIsSafeBeforeAsciiWhitespaceAfterAnythingElse) {
  const auto cuts = [](absl::string_view text) {
    std::vector<size_t> offsets;
    for (size_t offset = 0; offset <= text.size() + 1; ++offset) {
      if (IsSafeCut(text, offset)) offsets.push_back(offset);
    }
    return offsets;
  };
  EXPECT_THAT(cuts("one two\nthree"), ElementsAre(3, 7));
  EXPECT_THAT(cuts("日本 語。\n\n1 \n"), ElementsAre(6, 13, 16));
  EXPECT_THAT(cuts("a\u00A0 b\u3000\nc\u2028 d\u0085 e\u1680 f\u2009 "), testing::IsEmpty());
  EXPECT_THAT(cuts("a\u00A0b"), testing::IsEmpty()) << "whitespace that is no ASCII is left where it is";
  EXPECT_THAT(cuts(" a  "), ElementsAre(2));
  EXPECT_THAT(cuts(""), testing::IsEmpty());
}

}  // namespace
}  // namespace superpose
