#include "lib/base/file_type.h"

#include <filesystem>

#include "gtest/gtest.h"
#include "tests/status_matchers.h"
#include "tests/support/test_folder.h"

namespace superpose {
namespace {

namespace fs = std::filesystem;

TEST(FileTypeTest, TellsWhatIsThere) {
  const TestFolder folder;
  const std::string file = folder.Write("a", "text");
  fs::create_symlink(file, folder.File("link"));
  fs::create_symlink(folder.File("none"), folder.File("dangling"));
  EXPECT_EQ(*FileTypeOf(file), fs::file_type::regular);
  EXPECT_EQ(*FileTypeOf(folder.File("link")), fs::file_type::regular);
  EXPECT_EQ(*FileTypeOf(folder.path()), fs::file_type::directory);
  for (const std::string& path : {folder.File("none"), folder.File("dangling"), file + "/inside", std::string()})
    EXPECT_EQ(*FileTypeOf(path), fs::file_type::not_found) << path;
}

TEST(FileTypeTest, WhatTheSystemCannotTellIsAnErrorWithItsReason) {
  const TestFolder folder;
  fs::create_symlink(folder.File("circle"), folder.File("circle"));
  for (const auto& [path, why] : {std::pair(folder.File("circle"), "Too many levels of symbolic links"),
                                  std::pair(folder.File(std::string(300, 'x')), "File name too long")}) {
    const auto type = FileTypeOf(path);
    EXPECT_THAT(type, IsError(absl::StatusCode::kNotFound, reason::kFileNotFound));
    EXPECT_THAT(type, MessageHas(path + ": " + why));
  }
}

}  // namespace
}  // namespace superpose
