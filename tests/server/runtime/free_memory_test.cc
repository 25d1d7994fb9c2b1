#include "server/runtime/free_memory.h"

#include <filesystem>

#include "tests/status_matchers.h"
#include "tests/support/test_folder.h"

namespace superpose {
namespace {

constexpr int64_t kMiB = int64_t{1} << 20;

class FreeMemoryTest : public testing::Test {
 protected:
  void Write(const std::string& path, const std::string& text) const {
    std::filesystem::create_directories(std::filesystem::path(folder_.File(path)).parent_path());
    folder_.Write(path, text);
  }
  void WriteMeminfo() const {
    Write("proc/meminfo", "MemTotal:       65536 kB\nMemFree:        1024 kB\nMemAvailable:   32768 kB\n");
  }
  absl::StatusOr<int64_t> Free() const { return FreeHostMemory({folder_.File("proc"), folder_.File("cgroup")}); }

  TestFolder folder_;
};

TEST_F(FreeMemoryTest, IsWhatLinuxCallsAvailable) {
  WriteMeminfo();
  ASSERT_OK_AND_ASSIGN(const int64_t free, Free());
  EXPECT_EQ(free, 32 * kMiB);
}

TEST_F(FreeMemoryTest, AGroupsLimitIsObserved) {
  WriteMeminfo();
  Write("cgroup/memory.max", "16777216\n");
  Write("cgroup/memory.current", "6291456\n");
  Write("cgroup/memory.stat", "anon 4194304\ninactive_file 2097152\n");
  ASSERT_OK_AND_ASSIGN(const int64_t free, Free());
  EXPECT_EQ(free, 12 * kMiB) << "files that nobody uses can be let go";
}

TEST_F(FreeMemoryTest, AGroupWithoutLimitChangesNothing) {
  WriteMeminfo();
  Write("cgroup/memory.max", "max\n");
  Write("cgroup/memory.current", "6291456\n");
  ASSERT_OK_AND_ASSIGN(const int64_t free, Free());
  EXPECT_EQ(free, 32 * kMiB);
}

TEST_F(FreeMemoryTest, TheLimitOfAGroupAboveIsObserved) {
  WriteMeminfo();
  Write("proc/self/cgroup", "0::/lab/server\n");
  Write("cgroup/lab/memory.max", "8388608\n");
  Write("cgroup/lab/memory.current", "1048576\n");
  Write("cgroup/lab/server/memory.max", "max\n");
  ASSERT_OK_AND_ASSIGN(const int64_t free, Free());
  EXPECT_EQ(free, 7 * kMiB);
}

TEST_F(FreeMemoryTest, TheFirstVersionsGroupsAreObserved) {
  WriteMeminfo();
  Write("cgroup/memory/memory.limit_in_bytes", "4194304\n");
  Write("cgroup/memory/memory.usage_in_bytes", "1048576\n");
  ASSERT_OK_AND_ASSIGN(const int64_t free, Free());
  EXPECT_EQ(free, 3 * kMiB);
}

TEST_F(FreeMemoryTest, AFullGroupHasNothing) {
  WriteMeminfo();
  Write("cgroup/memory.max", "1048576\n");
  Write("cgroup/memory.current", "4194304\n");
  ASSERT_OK_AND_ASSIGN(const int64_t free, Free());
  EXPECT_EQ(free, 0);
}

TEST_F(FreeMemoryTest, WithoutMeminfoTheAdministratorIsAsked) {
  EXPECT_THAT(Free(), IsError(absl::StatusCode::kNotFound, reason::kFileNotFound));
  EXPECT_THAT(Free(), MessageHas("set memory_limit_bytes"));
}

TEST_F(FreeMemoryTest, ThisMachineHasSome) {
  ASSERT_OK_AND_ASSIGN(const int64_t free, FreeMemory(c10::Device(c10::kCPU)));
  EXPECT_GT(free, 0);
}

}  // namespace
}  // namespace superpose
