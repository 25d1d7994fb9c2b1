#include "lib/base/atomic_file.h"

#include <filesystem>
#include <string>

#include "lib/base/mapped_file.h"
#include "tests/status_matchers.h"

namespace superpose {
namespace {

namespace fs = std::filesystem;

class AtomicFileTest : public testing::Test {
 protected:
  AtomicFileTest() : folder_(fs::path(testing::TempDir()) / "atomic_file_test") {
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  ~AtomicFileTest() override { fs::remove_all(folder_); }
  std::string Path(const char* name) const { return (folder_ / name).string(); }
  const fs::path folder_;
};

TEST_F(AtomicFileTest, WhatWasWrittenIsRead) {
  ASSERT_OK(WriteFileAtomically(Path("a"), "first"));
  ASSERT_OK(WriteFileAtomically(Path("a"), "second"));
  ASSERT_OK_AND_ASSIGN(auto file, MappedFile::Open(Path("a")));
  EXPECT_EQ(file->text(), "second");
}

TEST_F(AtomicFileTest, WithoutCommitTheOldContentStaysAndNothingIsLeft) {
  ASSERT_OK(WriteFileAtomically(Path("a"), "old"));
  {
    ASSERT_OK_AND_ASSIGN(AtomicFile file, AtomicFile::Create(Path("a")));
    ASSERT_OK(file.Write("half"));
  }
  ASSERT_OK_AND_ASSIGN(auto file, MappedFile::Open(Path("a")));
  EXPECT_EQ(file->text(), "old");
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_), fs::directory_iterator()), 1);
}

TEST_F(AtomicFileTest, AnEmptyFileIsMapped) {
  ASSERT_OK(WriteFileAtomically(Path("a"), ""));
  ASSERT_OK_AND_ASSIGN(auto file, MappedFile::Open(Path("a")));
  EXPECT_EQ(file->size(), 0);
}

TEST_F(AtomicFileTest, AMissingFolderIsAnError) {
  EXPECT_THAT(WriteFileAtomically(Path("none/a"), "x"),
              IsError(absl::StatusCode::kFailedPrecondition, reason::kFileWriteFailed));
}

TEST_F(AtomicFileTest, MappingWhatIsNoFileIsAnError) {
  EXPECT_THAT(MappedFile::Open(Path("none")), IsError(absl::StatusCode::kNotFound, reason::kFileNotFound));
  EXPECT_THAT(MappedFile::Open(folder_.string()), IsError(absl::StatusCode::kNotFound, reason::kFileNotFound));
}

}  // namespace
}  // namespace superpose
