#include "lib/base/mapped_file.h"

#include <sys/stat.h>

#include "gtest/gtest.h"
#include "tests/status_matchers.h"
#include "tests/support/test_folder.h"

namespace superpose {
namespace {

TEST(MappedFileTest, HoldsTheBytesOfTheFile) {
  const TestFolder folder;
  ASSERT_OK_AND_ASSIGN(const auto file, MappedFile::Open(folder.Write("a", "text")));
  EXPECT_EQ(file->text(), "text");
  EXPECT_EQ(file->path(), folder.File("a"));
  ASSERT_OK_AND_ASSIGN(const auto empty, MappedFile::Open(folder.Write("b", "")));
  EXPECT_EQ(empty->size(), 0U);
}

TEST(MappedFileTest, StaysWhenTheFileIsReplacedByAnother) {
  const TestFolder folder;
  ASSERT_OK_AND_ASSIGN(const auto file, MappedFile::Open(folder.Write("a", "text")));
  std::filesystem::rename(folder.Write("b", "other"), folder.File("a"));
  EXPECT_EQ(file->text(), "text");
}

// A pipe that nobody writes to must not hold up whoever opens it.
TEST(MappedFileTest, WhatIsNoRegularFileIsRefusedAtOnce) {
  const TestFolder folder;
  ASSERT_EQ(mkfifo(folder.File("pipe").c_str(), 0600), 0);
  for (const std::string& path : {folder.File("pipe"), folder.path(), folder.File("none"), std::string("/dev/zero")}) {
    EXPECT_THAT(MappedFile::Open(path), IsError(absl::StatusCode::kNotFound, reason::kFileNotFound)) << path;
  }
}

}  // namespace
}  // namespace superpose
