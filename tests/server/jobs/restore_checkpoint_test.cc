#include "server/jobs/restore_checkpoint.h"

#include <ATen/ATen.h>

#include <vector>

#include "lib/base/error.h"
#include "server/runtime/reasons.h"
#include "tests/server/jobs/temporary_folder.h"
#include "tests/status_matchers.h"

namespace superpose {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class RestoreCheckpointTest : public testing::Test {
 protected:
  void Write(int64_t step) const {
    EXPECT_OK(files_.Write(step, {{"t", at::full({2}, static_cast<double>(step))}}, {{"step", "1"}}));
  }
  // Notes what it is asked to restore, and answers with `verdict`.
  absl::Status Restore(const std::function<absl::Status(int64_t step)>& verdict) {
    return RestoreCheckpoint(files_, [&](const SafetensorsFile& file) {
      tried_.push_back(static_cast<int64_t>(file.tensors().at("t")[0].item<double>()));
      return verdict(tried_.back());
    });
  }

  TemporaryFolder folder_;
  CheckpointFiles files_{folder_ / "jobs/a"};
  std::vector<int64_t> tried_;
};

absl::Status Sound(int64_t) { return absl::OkStatus(); }

TEST_F(RestoreCheckpointTest, WithoutOneTheWorkBeginsAtItsBeginning) {
  EXPECT_OK(Restore(Sound));
  EXPECT_THAT(tried_, IsEmpty());
}

TEST_F(RestoreCheckpointTest, TheNewestThatIsWholeIsTaken) {
  Write(1);
  Write(2);
  EXPECT_OK(Restore(Sound));
  EXPECT_THAT(tried_, ElementsAre(2));
}

TEST_F(RestoreCheckpointTest, DamagedOnesArePassedOver) {
  Write(1);
  Write(2);
  EXPECT_OK(Restore([](int64_t step) -> absl::Status {
    return step == 2 ? InvalidArgument(reason::kTensorNotFinite, "NaN") : absl::OkStatus();
  }));
  EXPECT_THAT(tried_, ElementsAre(2, 1));
  tried_.clear();
  WriteFile(files_.NewestFirst()->front(), "no checkpoint at all");
  EXPECT_OK(Restore(Sound));
  EXPECT_THAT(tried_, ElementsAre(1));
}

TEST_F(RestoreCheckpointTest, WhatIsNotTheFilesFaultIsReturned) {
  Write(1);
  Write(2);
  EXPECT_THAT(Restore([](int64_t) { return FailedPrecondition(reason::kInputChanged, "another corpus"); }),
              IsError(absl::StatusCode::kFailedPrecondition, reason::kInputChanged));
  EXPECT_THAT(tried_, ElementsAre(2));
}

}  // namespace
}  // namespace superpose
