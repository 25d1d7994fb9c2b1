#include "server/jobs/data_folder.h"

#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>

#include "lib/base/error.h"
#include "server/runtime/reasons.h"
#include "tests/server/jobs/temporary_folder.h"
#include "tests/status_matchers.h"

namespace superpose {
namespace {

namespace fs = std::filesystem;

auto InUse() { return IsError(absl::StatusCode::kFailedPrecondition, reason::kDataDirInUse); }
auto ReadOnly() { return IsError(absl::StatusCode::kFailedPrecondition, reason::kStorageReadOnly); }

class DataFolderTest : public testing::Test {
 protected:
  TemporaryFolder parent_;
};

TEST_F(DataFolderTest, WhatIsMissingIsMade) {
  const std::string path = parent_ / "some/where/data";
  ASSERT_OK_AND_ASSIGN(const auto folder, DataFolder::Open(path));
  EXPECT_TRUE(fs::is_directory(path + "/jobs"));
  EXPECT_TRUE(fs::is_directory(path + "/midcoders"));
  EXPECT_TRUE(fs::is_directory(path + "/snapshots"));
  EXPECT_TRUE(fs::is_directory(path + "/factorizations"));
  EXPECT_EQ(folder->path(), path);
  EXPECT_EQ(folder->database_path(), path + "/superpose.db");
  EXPECT_EQ(folder->FolderOf("jobs/a"), path + "/jobs/a");
  EXPECT_FALSE(fs::exists(folder->FolderOf("jobs/a")));
}

TEST_F(DataFolderTest, WhatIsThereStays) {
  WriteFile(parent_ / "data/jobs/a/history.bin", "rows");
  ASSERT_OK(DataFolder::Open(parent_ / "data"));
  EXPECT_EQ(FileContent(parent_ / "data/jobs/a/history.bin"), "rows");
}

TEST_F(DataFolderTest, ASecondServerIsRefusedAndToldWhoHasIt) {
  ASSERT_OK_AND_ASSIGN(auto first, DataFolder::Open(parent_ / "data"));
  const auto second = DataFolder::Open(parent_ / "data");
  EXPECT_THAT(second, InUse());
  EXPECT_THAT(second, MessageHas("another server"));
  EXPECT_THAT(second, MessageHas(parent_ / "data"));
  EXPECT_THAT(second, MessageHas(absl::StrCat("process ", ::getpid())));
  first = nullptr;
  EXPECT_OK(DataFolder::Open(parent_ / "data"));
}

TEST_F(DataFolderTest, AServerInAnotherProcessIsRefused) {
  ASSERT_OK_AND_ASSIGN(const auto folder, DataFolder::Open(parent_ / "data"));
  const pid_t child = ::fork();
  if (child == 0) ::_exit(ReasonOf(DataFolder::Open(parent_ / "data").status()) == reason::kDataDirInUse ? 0 : 1);
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

TEST_F(DataFolderTest, TheLockOfAProcessThatDiedIsFree) {
  const pid_t child = ::fork();
  if (child == 0) {
    const auto folder = DataFolder::Open(parent_ / "data");
    ::_exit(folder.ok() ? 0 : 1);  // without destructors, as when it is killed
  }
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_EQ(WEXITSTATUS(status), 0);
  EXPECT_OK(DataFolder::Open(parent_ / "data"));
}

TEST_F(DataFolderTest, AFolderThatMayNotBeWrittenIsRefused) {
  ASSERT_OK(DataFolder::Open(parent_ / "data"));
  fs::permissions(parent_ / "data/LOCK", fs::perms(0666));  // that the lock can be opened is not enough
  fs::permissions(parent_ / "data/midcoders", fs::perms(0777));
  for (const char* room : {"data/jobs", "data"}) {
    fs::permissions(parent_ / "data", fs::perms(0777));
    MakeReadOnly(parent_ / room);
    WithoutPrivileges nobody;
    const auto opened = DataFolder::Open(parent_ / "data");
    EXPECT_THAT(opened, ReadOnly());
    EXPECT_THAT(opened, MessageHas(parent_ / room + ":"));
  }
  MakeWritable(parent_ / "data");
  MakeWritable(parent_ / "data/jobs");
}

TEST_F(DataFolderTest, AFolderThatMayNotBeMadeIsRefused) {
  MakeReadOnly(parent_.path());
  {
    WithoutPrivileges nobody;
    EXPECT_THAT(DataFolder::Open(parent_ / "data"), ReadOnly());
  }
  MakeWritable(parent_.path());
}

TEST_F(DataFolderTest, AFileInItsPlaceIsRefused) {
  const auto no_folder = IsError(absl::StatusCode::kFailedPrecondition, reason::kConfigInvalid);
  WriteFile(parent_ / "file", "content");
  EXPECT_THAT(DataFolder::Open(parent_ / "file"), no_folder);
  EXPECT_THAT(DataFolder::Open(parent_ / "file/data"), no_folder);
  WriteFile(parent_ / "data/midcoders", "content");
  EXPECT_THAT(DataFolder::Open(parent_ / "data"), no_folder);
  EXPECT_EQ(FileContent(parent_ / "file"), "content");
}

}  // namespace
}  // namespace superpose
