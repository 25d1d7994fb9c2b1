#include "client/cli/document_reader.h"

#include <filesystem>
#include <string>
#include <vector>

#include "client/cpp/errors.h"
#include "gmock/gmock.h"
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
  EXPECT_EQ(PartEnd("na\xC3\xAF two x", 2), 8U) << "what is no ASCII may be whitespace, too";
  EXPECT_EQ(PartEnd("onetwothree", 3), 11U);
}

}  // namespace
}  // namespace superpose::cli
