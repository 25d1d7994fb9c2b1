#include "server/jobs/checkpoint_files.h"

#include <ATen/ATen.h>

#include "lib/base/error.h"
#include "server/runtime/reasons.h"
#include "tests/server/jobs/temporary_folder.h"
#include "tests/status_matchers.h"

namespace superpose {
namespace {

using testing::ElementsAre;
using testing::EndsWith;
using testing::IsEmpty;

class CheckpointFilesTest : public testing::Test {
 protected:
  absl::Status Write(int64_t step) const { return files_.Write(step, {{"t", at::full({2}, 1.0)}}, {{"step", "1"}}); }

  std::vector<std::string> Paths() const {
    const absl::StatusOr<std::vector<std::string>> paths = files_.NewestFirst();
    EXPECT_OK(paths);
    return paths.value_or(std::vector<std::string>());
  }

  TemporaryFolder folder_;
  CheckpointFiles files_{folder_ / "jobs/a"};
};

TEST_F(CheckpointFilesTest, ThereAreNoneBeforeTheFirst) { EXPECT_THAT(Paths(), IsEmpty()); }

TEST_F(CheckpointFilesTest, TheNewestTwoAreKept) {
  for (const int64_t step : {9, 10, 100}) ASSERT_OK(Write(step));
  EXPECT_THAT(Paths(), ElementsAre(EndsWith("checkpoint-000000000100.safetensors"),
                                   EndsWith("checkpoint-000000000010.safetensors")));
}

TEST_F(CheckpointFilesTest, DamagedOnesOfLaterStepsDoNotPushOutWhatIsWrittenNow) {
  ASSERT_OK(Write(1));
  WriteFile(folder_ / "jobs/a/checkpoint-000000000005.safetensors", "damaged");
  WriteFile(folder_ / "jobs/a/checkpoint-000000000007.safetensors", "damaged");
  ASSERT_OK(Write(3));
  EXPECT_THAT(Paths(), ElementsAre(EndsWith("checkpoint-000000000003.safetensors"),
                                   EndsWith("checkpoint-000000000001.safetensors")));
}

TEST_F(CheckpointFilesTest, OtherFilesAreLeftAlone) {
  WriteFile(folder_ / "jobs/a/history.bin", "history");
  for (const int64_t step : {1, 2, 3}) ASSERT_OK(Write(step));
  EXPECT_EQ(FileContent(folder_ / "jobs/a/history.bin"), "history");
}

TEST_F(CheckpointFilesTest, WhereWritingFailsTheOlderOnesStay) {
  for (const int64_t step : {1, 2}) ASSERT_OK(Write(step));
  MakeReadOnly(folder_ / "jobs/a");
  {
    const WithoutPrivileges nobody;
    EXPECT_FALSE(Write(3).ok());
  }
  MakeWritable(folder_ / "jobs/a");
  EXPECT_THAT(Paths(), ElementsAre(EndsWith("2.safetensors"), EndsWith("1.safetensors")));
}

TEST_F(CheckpointFilesTest, WhatCannotBeListedIsNoEmptyList) {
  ASSERT_OK(Write(1));
  std::filesystem::permissions(folder_ / "jobs/a", std::filesystem::perms(0));
  {
    const WithoutPrivileges nobody;
    EXPECT_THAT(files_.NewestFirst(), IsError(absl::StatusCode::kFailedPrecondition, reason::kStorageReadOnly));
  }
  MakeWritable(folder_ / "jobs/a");
}

TEST_F(CheckpointFilesTest, WhatDoesNotFitOnTheDiskIsNotBegun) {
  ASSERT_OK(Write(1));
  const at::Tensor huge = at::zeros({1}).expand({int64_t{1} << 50});
  EXPECT_THAT(files_.Write(2, {{"t", huge}}, {}), IsError(absl::StatusCode::kResourceExhausted, reason::kStorageFull));
  EXPECT_THAT(Paths(), ElementsAre(EndsWith("1.safetensors")));
}

TEST_F(CheckpointFilesTest, WritingThatIsCalledOffLeavesNothing) {
  ASSERT_OK(Write(1));
  int asked = 0;
  const auto keep_writing = [&] { return ++asked == 2 ? absl::CancelledError("enough") : absl::OkStatus(); };
  const at::Tensor tensor = at::zeros({2});
  EXPECT_EQ(files_.Write(2, {{"a", tensor}, {"b", tensor}, {"c", tensor}}, {}, keep_writing).code(),
            absl::StatusCode::kCancelled);
  EXPECT_EQ(asked, 2);
  int files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder_ / "jobs/a")) files += entry.exists() ? 1 : 0;
  EXPECT_EQ(files, 1);
}

}  // namespace
}  // namespace superpose
