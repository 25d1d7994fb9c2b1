#include "client/cli/document_reader.h"

#include <algorithm>
#include <filesystem>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/cpp/errors.h"
#include "gmock/gmock.h"
#include "lib/tokenizer/tokenizer.h"
#include "tests/client/matchers.h"
#include "tests/lib/corpus/compress.h"
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
    return ReadDocuments(path, [this](absl::string_view text, bool begins, int64_t bytes) {
      if (begins) documents_.emplace_back();
      absl::StrAppend(&documents_.back(), text);
      most_ = std::max(most_, text.size());
      bytes_ = bytes;
      return absl::OkStatus();
    });
  }

  TestFolder folder_;
  std::vector<std::string> documents_;
  int64_t bytes_ = 0;
  size_t most_ = 0;  // bytes of one part
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

TEST_F(DocumentReaderTest, CompressedFilesHoldWhatTheyHoldUncompressed) {
  const std::string lines = "{\"text\": \"one\"}\n\n{\"text\": \"two\"}";
  for (const auto& [name, bytes] :
       {std::pair<std::string, std::string>{"a.jsonl", lines},
        {"a.jsonl.gz", Gzip(lines)},
        {"a.jsonl.zst", Zstd(lines)},
        {"b.jsonl.gz", Gzip(lines.substr(0, 7)) + Gzip(lines.substr(7)) + std::string(2, '\0')},
        {"b.jsonl.zst", Zstd(lines.substr(0, 7)) + Zstd(lines.substr(7))}}) {
    ASSERT_OK(Read(folder_.Write(name, bytes))) << name;
    EXPECT_THAT(documents_, ElementsAre("one", "two")) << name;
    EXPECT_EQ(bytes_, static_cast<int64_t>(bytes.size())) << name;
  }
  ASSERT_OK(Read(folder_.Write("empty.txt.gz", Gzip(""))));
  EXPECT_THAT(documents_, IsEmpty());
}

TEST_F(DocumentReaderTest, ALongTextComesInPartsThatAreTheWhole) {
  std::string text;
  for (int i = 0; text.size() < 2'000'000; ++i) text += absl::StrCat("word", i * 2654435761U, i % 7 == 0 ? "\n" : " ");
  for (const auto& [name, bytes] :
       {std::pair<std::string, std::string>{"a.txt", text}, {"a.txt.gz", Gzip(text)}, {"a.txt.zst", Zstd(text)}}) {
    most_ = 0;
    ASSERT_OK(Read(folder_.Write(name, bytes))) << name;
    EXPECT_THAT(documents_, ElementsAre(text)) << name;
    EXPECT_LT(most_, 300'000U) << name;
  }
}

TEST_F(DocumentReaderTest, ALongLineAndATextWithoutAnyBorderStayWhole) {
  const std::string word(1'000'000, 'x');
  ASSERT_OK(Read(folder_.Write("a.jsonl.gz", Gzip("{\"text\": \"" + word + "\"}\n{\"text\": \"\"}"))));
  EXPECT_THAT(documents_, ElementsAre(word, ""));
  ASSERT_OK(Read(folder_.Write("a.txt", word)));
  EXPECT_THAT(documents_, ElementsAre(word));
}

TEST_F(DocumentReaderTest, DamagedCompressedFilesAreNamed) {
  const std::string line = "{\"text\": \"one two three four\"}\n";
  std::string flipped = Gzip(line), frame = Zstd(line);
  flipped[flipped.size() - 6] = static_cast<char>(flipped[flipped.size() - 6] ^ 1);  // of the checksum
  for (const auto& [name, bytes, what] :
       {std::tuple<std::string, std::string, std::string>{"cut.jsonl.gz", Gzip(line).substr(0, 20), "truncated"},
        {"cut.jsonl.zst", frame.substr(0, frame.size() - 3), "truncated"},
        {"none.jsonl.gz", "", "truncated"},
        {"none.jsonl.zst", "", "truncated"},
        {"plain.jsonl.gz", line, "no valid gzip"},
        {"plain.jsonl.zst", line, "no valid zstd"},
        {"sum.jsonl.gz", flipped, "no valid gzip"},
        {"tail.jsonl.gz", Gzip(line) + "tail", "no valid gzip"}}) {
    const absl::Status status = Read(folder_.Write(name, bytes));
    EXPECT_THAT(status, FailsWith(absl::StatusCode::kInvalidArgument, "FILE_CORRUPT")) << name;
    EXPECT_THAT(status, MessageHas(name));
    EXPECT_THAT(status, MessageHas(what)) << name;
  }
}

TEST_F(DocumentReaderTest, ADecompressionBombIsRefused) {
  const std::string zeros(64 << 20, ' ');
  for (const auto& [name, bytes] :
       {std::pair<std::string, std::string>{"a.jsonl.gz", Gzip(zeros)}, {"a.txt.zst", Zstd(zeros)}}) {
    const absl::Status status = Read(folder_.Write(name, bytes));
    EXPECT_THAT(status, FailsWith(absl::StatusCode::kInvalidArgument, "FILE_CORRUPT")) << name;
    EXPECT_THAT(status, MessageHas("bomb")) << name;
  }
}

TEST_F(DocumentReaderTest, OtherFilesAreRefused) {
  EXPECT_THAT(Read(folder_.Write("a.gz", "x")), FailsWith(absl::StatusCode::kInvalidArgument, "FILE_UNSUPPORTED"));
  EXPECT_THAT(Read(folder_.Write("a.txt.bz2", "x")), FailsWith(absl::StatusCode::kInvalidArgument, "FILE_UNSUPPORTED"));
  EXPECT_THAT(Read(folder_.File("nowhere.txt.gz")), FailsWith(absl::StatusCode::kNotFound, "FILE_NOT_FOUND"));
  std::filesystem::create_directory(folder_.File("folder.txt"));
  EXPECT_THAT(Read(folder_.File("folder.txt")), FailsWith(absl::StatusCode::kNotFound, "FILE_NOT_FOUND"));
  EXPECT_THAT(Read(folder_.Write("a.csv", "x")), FailsWith(absl::StatusCode::kInvalidArgument, "FILE_UNSUPPORTED"));
  EXPECT_THAT(Read(folder_.File("nowhere.txt")), FailsWith(absl::StatusCode::kNotFound, "FILE_NOT_FOUND"));
}

TEST_F(DocumentReaderTest, TheCallbacksErrorEndsIt) {
  int calls = 0;
  const absl::Status status = ReadDocuments(folder_.Write("a.jsonl", "{\"text\": \"a\"}\n{\"text\": \"b\"}\n"),
                                            [&](absl::string_view, bool, int64_t) {
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
