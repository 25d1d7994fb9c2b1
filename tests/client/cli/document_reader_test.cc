#include "client/cli/document_reader.h"

#include <filesystem>
#include <string>
#include <vector>

#include "client/cpp/errors.h"
#include "gmock/gmock.h"
#include "lib/tokenizer/tokenizer.h"
#include "tests/client/matchers.h"
#include "tests/support/test_folder.h"

namespace superpose::cli {
namespace {

using client::FailsWith;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

class DocumentReaderTest : public ::testing::Test {
 protected:
  absl::Status Read(const std::string& path) {
    documents_.clear();
    return ReadDocuments(path, [this](std::string document, int64_t bytes) {
      documents_.push_back(std::move(document));
      bytes_ = bytes;
      return absl::OkStatus();
    });
  }

  TestFolder folder_;
  std::vector<std::string> documents_;
  int64_t bytes_ = 0;
};

TEST_F(DocumentReaderTest, ATextFileIsOneDocument) {
  ASSERT_OK(Read(folder_.Write("a.txt", "one\n\ntwo\n")));
  EXPECT_THAT(documents_, ElementsAre("one\n\ntwo\n"));
  EXPECT_EQ(bytes_, 9);
  ASSERT_OK(Read(folder_.Write("empty.txt", "")));
  EXPECT_THAT(documents_, IsEmpty());
}

TEST_F(DocumentReaderTest, ALineIsADocument) {
  ASSERT_OK(Read(folder_.Write("a.jsonl", "{\"text\": \"one\\u00e9\"}\r\n\n  \n{\"id\": 1, \"text\": \"\"}")));
  EXPECT_THAT(documents_, ElementsAre("one\xC3\xA9", ""));
}

TEST_F(DocumentReaderTest, ALineThatIsNoDocumentIsNamed) {
  for (const char* line : {"x", "[]", "{}", "{\"text\": 1}", "{\"text\": \"\xFF\"}"}) {
    const absl::Status status = Read(folder_.Write("a.jsonl", std::string("{\"text\": \"\"}\n") + line));
    EXPECT_THAT(status, FailsWith(absl::StatusCode::kInvalidArgument, "FILE_CORRUPT")) << line;
    EXPECT_THAT(status, MessageHas("line 2"));
  }
}

TEST_F(DocumentReaderTest, OtherFilesAreRefused) {
  EXPECT_THAT(Read(folder_.Write("a.csv", "x")), FailsWith(absl::StatusCode::kInvalidArgument, "FILE_UNSUPPORTED"));
  EXPECT_THAT(Read(folder_.File("nowhere.txt")), FailsWith(absl::StatusCode::kNotFound, "FILE_NOT_FOUND"));
}

TEST_F(DocumentReaderTest, TheCallbacksErrorEndsIt) {
  int calls = 0;
  const absl::Status status = ReadDocuments(folder_.Write("a.jsonl", "{\"text\": \"a\"}\n{\"text\": \"b\"}\n"),
                                            [&](const std::string&, int64_t) {
                                              ++calls;
                                              return absl::CancelledError("enough");
                                            });
  EXPECT_TRUE(absl::IsCancelled(status));
  EXPECT_EQ(calls, 1);
}

TEST(PartEndTest, PartsEndBeforeWhitespaceThatFollowsSomethingElse) {
  EXPECT_EQ(PartEnd("short", 10), 5U);
  EXPECT_EQ(PartEnd("one two three", 3), 3U);
  EXPECT_EQ(PartEnd("one two three", 4), 7U);
  EXPECT_EQ(PartEnd("one  two", 4), 8U) << "not within whitespace";
  EXPECT_EQ(PartEnd("one\ntwo", 2), 3U);
  EXPECT_EQ(PartEnd("na\xC3\xAF two x", 2), 4U);
  EXPECT_EQ(PartEnd("日本語。\n日本語。\n", 3), 12U) << "where no word ends in ASCII";
  for (const char* space :
       {"\u0085", "\u00A0", "\u1680", "\u2000", "\u200A", "\u2028", "\u2029", "\u202F", "\u205F", "\u3000"}) {
    const std::string text = std::string("na") + space + " two x";
    EXPECT_EQ(PartEnd(text, 1), text.size() - 2) << "what is no ASCII may be whitespace, too";
  }
  for (const char* other :
       {"\u0084", "\u00A1", "\u167F", "\u1FFF", "\u200B", "\u2027", "\u202A", "\u2030", "\u3001", "\U0001F600"}) {
    const std::string text = std::string("na") + other + " two x";
    EXPECT_EQ(PartEnd(text, 1), text.size() - 6) << other;
  }
  EXPECT_EQ(PartEnd("onetwothree", 3), 11U);
}

// Against the server's own tokenizer, in texts of pieces that make borders hard to tell.
TEST(PartEndTest, PartsHaveTheTokensOfTheWhole) {
  ASSERT_OK_AND_ASSIGN(const auto tokenizer, Tokenizer::Load(SUPERPOSE_TEST_DATA "/tokenizer/json"));
  const std::vector<std::string> pieces = {"a",      "the",    " the",   "'s",     "'",      "0",    "202",    ".",
                                           " ",      " ",      "  ",     "\n",     "\t",     "\r\n", "\v",     "日",
                                           "本",     "。",     "é",      "Ⅷ",      "٣",      "😀",   "\u00A0", "\u3000",
                                           "\u2028", "\u0085", "\u200B", "\u1680", "\u2009", "\x01", "\x7F",   "\x1C"};
  auto random = [state = uint32_t{7}]() mutable { return (state = state * 1664525 + 1013904223) >> 16; };
  for (int i = 0; i < 10'000; ++i) {
    std::string text;
    for (uint32_t count = 1 + random() % 24; count > 0; --count) text += pieces[random() % pieces.size()];
    std::vector<int32_t> together;
    for (absl::string_view rest = text; !rest.empty();) {
      const absl::string_view part = rest.substr(0, PartEnd(rest, 1 + random() % 6));
      ASSERT_FALSE(part.empty());
      ASSERT_OK_AND_ASSIGN(const std::vector<int32_t> ids, tokenizer->Encode(part, /*parse_special=*/false));
      together.insert(together.end(), ids.begin(), ids.end());
      rest.remove_prefix(part.size());
    }
    EXPECT_EQ(together, *tokenizer->Encode(text, /*parse_special=*/false)) << text;
  }
}

}  // namespace
}  // namespace superpose::cli
