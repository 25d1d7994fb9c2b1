#include "server/corpora/corpus_description.h"

#include <string>

#include "lib/base/error.h"
#include "tests/server/jobs/temporary_folder.h"
#include "tests/status_matchers.h"

namespace superpose {
namespace {

CorpusDescription Example() {
  return {"models/tiny",
          ".jsonl.gz",
          {"uploads/ab", "uploads/cd"},
          "ada \"the first\"",
          absl::FromUnixNanos(123456789),
          ""};
}

TEST(CorpusDescriptionTest, WhatIsWrittenIsReadAgain) {
  const TemporaryFolder folder;
  EXPECT_FALSE(*HasDescription(folder.path()));
  ASSERT_OK(WriteDescription(folder.path(), Example()));
  EXPECT_TRUE(*HasDescription(folder.path()));
  ASSERT_OK_AND_ASSIGN(const CorpusDescription read, ReadDescription(folder.path()));
  EXPECT_TRUE(read.SameContent(Example()));
  EXPECT_EQ(read.owner, Example().owner);
  EXPECT_EQ(read.create_time, Example().create_time);
}

TEST(CorpusDescriptionTest, OtherFilesAnotherOrderOrFormatAreOtherContent) {
  CorpusDescription other = Example();
  other.owner = "grace";
  other.create_time = absl::Now();
  EXPECT_TRUE(other.SameContent(Example()));
  other.uploads = {"uploads/cd", "uploads/ab"};
  EXPECT_FALSE(other.SameContent(Example()));
  other = Example();
  other.format = ".txt.gz";
  EXPECT_FALSE(other.SameContent(Example()));
  other = Example();
  other.model = "models/other";
  EXPECT_FALSE(other.SameContent(Example()));
}

TEST(CorpusDescriptionTest, TheTypeOfTokensIsKeptAndTheDefaultIsUint16) {
  const TemporaryFolder folder;
  CorpusDescription wide = Example();
  wide.token_dtype = "uint32";
  ASSERT_OK(WriteDescription(folder.path(), wide));
  ASSERT_OK_AND_ASSIGN(const CorpusDescription read, ReadDescription(folder.path()));
  EXPECT_EQ(read.token_dtype, "uint32");
  EXPECT_TRUE(read.SameContent(wide));
  EXPECT_FALSE(read.SameContent(Example()));
  CorpusDescription narrow = Example();
  narrow.token_dtype = "uint16";
  EXPECT_TRUE(narrow.SameContent(Example()));
}

TEST(CorpusDescriptionTest, OneOfBeforeTypesWereSaidIsRead) {
  const TemporaryFolder folder;
  WriteFile(folder / "corpus.json", R"({"format_version": 1, "model": "m", "format": ".bin", "owner": "a",
                                        "uploads": ["uploads/x"], "create_time": 1})");
  ASSERT_OK_AND_ASSIGN(const CorpusDescription read, ReadDescription(folder.path()));
  EXPECT_EQ(read.token_dtype, "");
}

TEST(CorpusDescriptionTest, FilesAreNumberedInOrder) {
  const auto files = FilesOf(Example(), "/data/corpora/x");
  EXPECT_EQ(files, (std::vector<std::string>{"/data/corpora/x/00000.jsonl.gz", "/data/corpora/x/00001.jsonl.gz"}));
}

TEST(CorpusDescriptionTest, WhatIsNotOfTheFormIsCorrupt) {
  const TemporaryFolder folder;
  EXPECT_EQ(ReasonOf(ReadDescription(folder.path()).status()), reason::kFileNotFound);
  for (const char* text :
       {"", "{}", "[]", "null", "{\"format_version\": 2}", "{\"format_version\": \"1\"}",
        R"({"format_version": 1, "model": "m", "format": ".txt", "owner": "a", "uploads": [], "create_time": 1})",
        R"({"format_version": 1, "model": "m", "format": ".txt", "owner": "a", "uploads": [1], "create_time": 1})",
        R"({"format_version": 1, "model": "m", "format": ".txt", "owner": "a", "uploads": "x", "create_time": 1})",
        R"({"format_version": 1, "model": "m", "format": ".txt", "owner": "a", "uploads": ["x"], "create_time": "1"})",
        R"({"format_version": 1, "model": "m", "format": ".bin", "owner": "a", "uploads": ["x"], "create_time": 1,
            "token_dtype": 32})",
        R"({"format_version": 1, "model": 5, "format": ".txt", "owner": "a", "uploads": ["x"], "create_time": 1})"}) {
    WriteFile(folder / "corpus.json", text);
    EXPECT_THAT(ReadDescription(folder.path()), IsError(absl::StatusCode::kDataLoss, reason::kFileCorrupt)) << text;
  }
}

}  // namespace
}  // namespace superpose
