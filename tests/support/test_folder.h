// A folder of its own for each test that writes files.
#pragma once

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "gtest/gtest.h"

namespace superpose {

class TestFolder {
 public:
  TestFolder()
      : path_(
            std::filesystem::path(testing::TempDir()) /
            absl::StrCat("superpose_", getpid(), "_", testing::UnitTest::GetInstance()->current_test_info()->name())) {
    std::filesystem::remove_all(path_);
    std::filesystem::create_directories(path_);
  }
  TestFolder(const TestFolder&) = delete;
  TestFolder& operator=(const TestFolder&) = delete;
  ~TestFolder() { std::filesystem::remove_all(path_); }

  std::string path() const { return path_.string(); }
  std::string File(const std::string& name) const { return (path_ / name).string(); }
  // Writes the file anew (it may be mapped still, and a mapped file must stay whole) and gives its path.
  std::string Write(const std::string& name, absl::string_view bytes) const {
    std::filesystem::remove(path_ / name);
    std::ofstream(path_ / name, std::ios::binary) << bytes;
    return File(name);
  }

 private:
  const std::filesystem::path path_;
};

}  // namespace superpose
