#include "lib/corpus/corpus_files.h"

#include <filesystem>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "lib/base/error.h"
#include "tests/status_matchers.h"
#include "tests/support/test_folder.h"

namespace superpose {
namespace {

using ::testing::ElementsAre;

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;

class CorpusFilesTest : public testing::Test {
 protected:
  absl::StatusOr<std::vector<CorpusFile>> List(const std::vector<std::string>& paths,
                                               const std::string& format = "") const {
    CorpusFiles files;
    files.paths = paths;
    files.format = format;
    return ListFiles(files);
  }
  std::vector<std::string> Names(const std::vector<std::string>& paths) const {
    const auto listed = List(paths);
    EXPECT_OK(listed);
    std::vector<std::string> names;
    if (!listed.ok()) return names;
    for (const CorpusFile& file : *listed) names.push_back(std::filesystem::path(file.path).filename().string());
    return names;
  }
  std::string Folder(const std::string& name, const std::vector<std::string>& files) const {
    std::filesystem::create_directories(folder_.File(name));
    for (const std::string& file : files) folder_.Write(absl::StrCat(name, "/", file), "x");
    return folder_.File(name);
  }

  TestFolder folder_;
};

TEST_F(CorpusFilesTest, EndingsSayHowAFileIsRead) {
  const struct {
    const char* path;
    CorpusFormat format;
    Compression compression;
  } cases[] = {{"a.txt", CorpusFormat::kText, Compression::kNone},
               {"a.txt.gz", CorpusFormat::kText, Compression::kGzip},
               {"a.b.jsonl", CorpusFormat::kJsonLines, Compression::kNone},
               {"a.jsonl.zst", CorpusFormat::kJsonLines, Compression::kZstd},
               {"a.npy", CorpusFormat::kNpy, Compression::kNone},
               {"a.bin", CorpusFormat::kBin, Compression::kNone}};
  for (const auto& expected : cases) {
    ASSERT_OK_AND_ASSIGN(const auto listed, List({expected.path}));
    EXPECT_EQ(listed[0].format, expected.format) << expected.path;
    EXPECT_EQ(listed[0].compression, expected.compression) << expected.path;
  }
}

TEST_F(CorpusFilesTest, FoldersAreTakenInNameOrderAmongTheirNeighbours) {
  const std::string folder = Folder("shards", {"b.jsonl", "a.jsonl.gz", "10.jsonl", ".hidden", "B.jsonl"});
  EXPECT_THAT(Names({folder_.File("z.jsonl"), folder, folder_.File("c.jsonl")}),
              ElementsAre("z.jsonl", "10.jsonl", "B.jsonl", "a.jsonl.gz", "b.jsonl", "c.jsonl"));
}

TEST_F(CorpusFilesTest, UnknownEndingsAreRefusedByName) {
  const auto listed = List({Folder("shards", {"a.jsonl", "README.md"})});
  EXPECT_THAT(listed, IsError(kInvalid, reason::kFileUnsupported));
  EXPECT_THAT(listed, MessageHas("README.md"));
  for (const char* name : {"a.gz", "a.csv.gz", "a.jsonl.xz", "a.jsonl.gz.gz", "gz", ""}) {
    EXPECT_THAT(List({name}), IsError(kInvalid, reason::kFileUnsupported)) << name;
  }
}

TEST_F(CorpusFilesTest, CompressedTokenFilesAreRefused) {
  for (const char* name : {"a.npy.gz", "a.bin.zst"}) {
    const auto listed = List({name});
    EXPECT_THAT(listed, IsError(kInvalid, reason::kFileUnsupported)) << name;
    EXPECT_THAT(listed, MessageHas("uncompressed"));
  }
}

TEST_F(CorpusFilesTest, FilesOfTwoKindsAreNoCorpus) {
  const auto listed = List({"a.jsonl", "b.jsonl.gz", "c.txt"});
  EXPECT_THAT(listed, IsError(kInvalid, reason::kFileUnsupported));
  EXPECT_THAT(listed, MessageHas("c.txt"));
}

TEST_F(CorpusFilesTest, FoldersInFoldersAreRefused) {
  Folder("outer/inner", {"a.jsonl"});
  const auto listed = List({folder_.File("outer")});
  EXPECT_THAT(listed, IsError(kInvalid, reason::kFileUnsupported));
  EXPECT_THAT(listed, MessageHas("inner"));
}

TEST_F(CorpusFilesTest, NoFilesAreEmptyInput) {
  EXPECT_THAT(List({}), IsError(kInvalid, reason::kEmptyInput));
  EXPECT_THAT(List({Folder("empty", {})}), IsError(kInvalid, reason::kEmptyInput));
  EXPECT_THAT(List({Folder("hidden", {".a.jsonl"})}), IsError(kInvalid, reason::kEmptyInput));
}

TEST_F(CorpusFilesTest, AGivenFormatMustBeAnEnding) {
  ASSERT_OK_AND_ASSIGN(const auto listed, List({"0a", "1b"}, ".jsonl.zst"));
  EXPECT_EQ(listed[1].compression, Compression::kZstd);
  EXPECT_EQ(listed[1].path, "1b");
  for (const char* format : {"jsonl", ".csv", "a.jsonl", ".gz", "/../x.txt", "./../x.txt", "..txt", ".txt.txt"}) {
    EXPECT_THAT(List({"0a"}, format), IsError(kInvalid, reason::kConfigInvalid)) << format;
  }
}

}  // namespace
}  // namespace superpose
