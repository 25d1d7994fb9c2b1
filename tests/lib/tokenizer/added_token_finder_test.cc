#include "lib/tokenizer/added_token_finder.h"

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace superpose {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

struct Found {
  size_t offset;
  int32_t id;
  bool operator==(const Found&) const = default;
};

void PrintTo(const Found& found, std::ostream* out) { *out << "{" << found.offset << ", " << found.id << "}"; }

AddedToken Token(const std::string& text, int32_t id, bool special = false) {
  return {.text = text, .id = id, .special = special, .normalized = false};
}

std::vector<Found> FindAll(const AddedTokenFinder& finder, absl::string_view text, bool parse_special = true) {
  std::vector<Found> all;
  for (size_t begin = 0;;) {
    const AddedTokenFinder::Match match = finder.Find(text.substr(begin), parse_special);
    if (match.token == nullptr) {
      EXPECT_EQ(match.offset, text.size() - begin);
      return all;
    }
    all.push_back({begin + match.offset, match.token->id});
    begin += match.offset + match.token->text.size();
  }
}

// What the finder is to find, said in the plainest way: at every byte, all tokens are tried.
std::vector<Found> TryAllEverywhere(const std::vector<AddedToken>& tokens, absl::string_view text, bool parse_special) {
  std::vector<Found> all;
  for (size_t offset = 0; offset < text.size();) {
    const AddedToken* best = nullptr;
    for (const AddedToken& token : tokens) {
      const bool wanted = parse_special || !token.special;
      if (!wanted || !absl::StartsWith(text.substr(offset), token.text)) continue;
      if (best == nullptr || token.text.size() > best->text.size()) best = &token;
    }
    if (best != nullptr) all.push_back({offset, best->id});
    offset += best == nullptr ? 1 : best->text.size();
  }
  return all;
}

TEST(AddedTokenFinderTest, WithoutTokensOrTextThereIsNothing) {
  EXPECT_THAT(FindAll(AddedTokenFinder({}), "some text"), IsEmpty());
  EXPECT_THAT(FindAll(AddedTokenFinder({Token("a", 1)}), ""), IsEmpty());
  EXPECT_THAT(FindAll(AddedTokenFinder({Token("text", 1)}), "tex"), IsEmpty());
}

TEST(AddedTokenFinderTest, TheLeftmostGoesBeforeTheLongest) {
  EXPECT_THAT(FindAll(AddedTokenFinder({Token("bcde", 1), Token("ab", 2)}), "xabcde"), ElementsAre(Found{1, 2}));
}

TEST(AddedTokenFinderTest, TheLongestGoesBeforeThoseThatItBeginsWith) {
  const AddedTokenFinder finder({Token("<", 1), Token("<s>", 2), Token("<s>>>", 3)});
  EXPECT_THAT(FindAll(finder, "<s><s>>>"), ElementsAre(Found{0, 2}, Found{3, 3}));
  EXPECT_THAT(FindAll(finder, "<s<s>>"), ElementsAre(Found{0, 1}, Found{2, 2}));
}

TEST(AddedTokenFinderTest, ASpecialTokenThatIsNotParsedDoesNotHideTheOthers) {
  const AddedTokenFinder finder({Token("ab", 1), Token("abc", 2, /*special=*/true), Token("bcd", 3)});
  EXPECT_THAT(FindAll(finder, "abcd", true), ElementsAre(Found{0, 2}));
  EXPECT_THAT(FindAll(finder, "abcd", false), ElementsAre(Found{0, 1}));
  EXPECT_THAT(FindAll(AddedTokenFinder({Token("abc", 2, true), Token("bcd", 3)}), "abcd", false),
              ElementsAre(Found{1, 3}));
}

TEST(AddedTokenFinderTest, OfTheSameTextTwiceTheFirstThatMayBeParsedCounts) {
  const AddedTokenFinder finder({Token("a", 1, /*special=*/true), Token("a", 2), Token("a", 3)});
  EXPECT_THAT(FindAll(finder, "a", true), ElementsAre(Found{0, 1}));
  EXPECT_THAT(FindAll(finder, "a", false), ElementsAre(Found{0, 2}));
}

TEST(AddedTokenFinderTest, AnyByteMayStandInAToken) {
  const std::string zeros(3, '\0');
  const AddedTokenFinder finder({Token(zeros, 1), Token("\xff\x80", 2), Token("é", 3)});
  EXPECT_THAT(FindAll(finder, absl::StrCat(zeros, "é\xff\x80", zeros)),
              ElementsAre(Found{0, 1}, Found{3, 3}, Found{5, 2}, Found{7, 1}));
}

TEST(AddedTokenFinderTest, ManyTokensThatBeginAlikeAreFoundAsIfEachWereTried) {
  auto random = [state = uint32_t{7}]() mutable { return (state = state * 1664525 + 1013904223) >> 16; };
  auto word = [&random](size_t most) {
    std::string letters;
    for (size_t length = 1 + random() % most; letters.size() < length;)
      letters += static_cast<char>('a' + random() % 3);
    return letters;
  };
  std::vector<AddedToken> tokens;
  for (int32_t id = 0; id < 400; ++id) tokens.push_back(Token(absl::StrCat("<", word(7)), id, random() % 3 == 0));
  const AddedTokenFinder finder(tokens);
  std::string text;
  while (text.size() < 5000) absl::StrAppend(&text, "<", word(9));
  for (const bool parse_special : {true, false}) {
    const std::vector<Found> wanted = TryAllEverywhere(tokens, text, parse_special);
    ASSERT_GT(wanted.size(), 300);
    EXPECT_EQ(FindAll(finder, text, parse_special), wanted);
  }
}

TEST(AddedTokenFinderTest, ACutMayLieAcrossATokenThatHasASafeCutInside) {
  const AddedTokenFinder finder({Token("a b c", 1), Token("  ", 2), Token("x ", 3, /*special=*/true)});
  const std::string text = "  a b c  x y";
  std::vector<size_t> across;
  for (size_t offset = 0; offset <= text.size(); ++offset) {
    if (finder.IsAcross(text, offset)) across.push_back(offset);
  }
  EXPECT_THAT(across, ElementsAre(3, 5, 10));
  EXPECT_FALSE(AddedTokenFinder({}).IsAcross(text, 3));
}

}  // namespace
}  // namespace superpose
