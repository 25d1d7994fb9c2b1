#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include "absl/strings/str_cat.h"

namespace superpose {

// An empty folder that goes with this object.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string pattern = (std::filesystem::path(testing::TempDir()) / "superpose.XXXXXX").string();
    path_ = ::mkdtemp(pattern.data());
    std::filesystem::permissions(path_, std::filesystem::perms(0755));  // others may look
  }
  ~TemporaryFolder() { std::filesystem::remove_all(path_); }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  const std::string& path() const { return path_; }
  std::string operator/(const std::string& name) const { return absl::StrCat(path_, "/", name); }

 private:
  std::string path_;
};

inline void WriteFile(const std::string& path, const std::string& content) {
  std::filesystem::create_directories(std::filesystem::path(path).parent_path());
  std::ofstream(path, std::ios::binary | std::ios::trunc) << content;
}

inline std::string FileContent(const std::string& path) {
  std::ostringstream content;
  content << std::ifstream(path, std::ios::binary).rdbuf();
  return content.str();
}

// While it lives, the process may not write to what belongs to the user who started it: the superuser, for whom the
// modes of files do not count, becomes nobody.
class WithoutPrivileges {
 public:
  WithoutPrivileges() : user_(::geteuid()) {
    if (user_ == 0 && ::seteuid(65534) != 0) ADD_FAILURE() << "cannot give up the superuser's rights";
  }
  ~WithoutPrivileges() {
    if (user_ == 0 && ::seteuid(user_) != 0) ADD_FAILURE() << "cannot take the superuser's rights back";
  }
  WithoutPrivileges(const WithoutPrivileges&) = delete;
  WithoutPrivileges& operator=(const WithoutPrivileges&) = delete;

 private:
  const uid_t user_;
};

inline void MakeReadOnly(const std::string& path) {
  const bool folder = std::filesystem::is_directory(path);
  std::filesystem::permissions(path, folder ? std::filesystem::perms(0555) : std::filesystem::perms(0444));
}

inline void MakeWritable(const std::string& path) { std::filesystem::permissions(path, std::filesystem::perms(0755)); }

}  // namespace superpose
