#include "server/jobs/checkpoint_files.h"

#include <ATen/ATen.h>

#include "lib/base/error.h"
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

  TemporaryFolder folder_;
  CheckpointFiles files_{folder_ / "jobs/a"};
};

TEST_F(CheckpointFilesTest, ThereAreNoneBeforeTheFirst) { EXPECT_THAT(files_.NewestFirst(), IsEmpty()); }

TEST_F(CheckpointFilesTest, TheNewestTwoAreKept) {
  for (const int64_t step : {9, 10, 100}) ASSERT_OK(Write(step));
  EXPECT_THAT(files_.NewestFirst(), ElementsAre(EndsWith("checkpoint-000000000100.safetensors"),
                                                EndsWith("checkpoint-000000000010.safetensors")));
}

TEST_F(CheckpointFilesTest, DamagedOnesOfLaterStepsDoNotPushOutWhatIsWrittenNow) {
  ASSERT_OK(Write(1));
  WriteFile(folder_ / "jobs/a/checkpoint-000000000005.safetensors", "damaged");
  WriteFile(folder_ / "jobs/a/checkpoint-000000000007.safetensors", "damaged");
  ASSERT_OK(Write(3));
  EXPECT_THAT(files_.NewestFirst(), ElementsAre(EndsWith("checkpoint-000000000003.safetensors"),
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
  EXPECT_THAT(files_.NewestFirst(), ElementsAre(EndsWith("2.safetensors"), EndsWith("1.safetensors")));
}

}  // namespace
}  // namespace superpose
