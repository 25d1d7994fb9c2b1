#include "server/jobs/history_file.h"

#include <sys/resource.h>

#include <cmath>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <limits>

#include "lib/base/error.h"
#include "server/runtime/reasons.h"
#include "tests/server/jobs/temporary_folder.h"
#include "tests/status_matchers.h"

namespace superpose {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr size_t kHeaderSize = 16;
constexpr size_t kRecordSize = 56;

StepLoss Loss(int64_t step, int64_t layer = 0) {
  return {.step = step,
          .layer = layer,
          .lr = 1e-3 / step,
          .loss = 3.5,
          .mse_mid = 0.1,
          .mse_out = 0.2,
          .mse_out_transcoder = 0.3};
}

std::vector<StepLoss> Losses(int64_t first, int64_t last) {
  std::vector<StepLoss> losses;
  for (int64_t step = first; step <= last; ++step) losses.push_back(Loss(step));
  return losses;
}

class HistoryFileTest : public testing::Test {
 protected:
  // The steps of a part of the file.
  std::vector<int64_t> Steps(int64_t skip = 0, int64_t count = 1'000'000) {
    const absl::StatusOr<std::vector<StepLoss>> losses = file_.Read(skip, count);
    EXPECT_OK(losses);
    std::vector<int64_t> steps;
    if (losses.ok()) {
      for (const StepLoss& loss : *losses) steps.push_back(loss.step);
    }
    return steps;
  }

  TemporaryFolder folder_;
  const std::string path_ = folder_ / "history.bin";
  HistoryFile file_{path_};
};

TEST_F(HistoryFileTest, BeforeTheFirstAppendItIsEmpty) {
  EXPECT_THAT(Steps(), IsEmpty());
  EXPECT_OK(file_.TruncateAfter(7));
  EXPECT_OK(file_.Append({}));
  EXPECT_FALSE(std::filesystem::exists(path_));
}

TEST_F(HistoryFileTest, WhatWasAppendedIsReadBitForBit) {
  StepLoss odd = Loss(1'234'567'890'123, 11);
  odd.loss = std::numeric_limits<double>::infinity();
  odd.mse_mid = std::numeric_limits<double>::denorm_min();
  odd.mse_out = -0.0;
  odd.mse_out_transcoder = std::numeric_limits<double>::quiet_NaN();
  ASSERT_OK(file_.Append({odd}));
  ASSERT_OK_AND_ASSIGN(const std::vector<StepLoss> losses, file_.Read(0, 10));
  ASSERT_EQ(losses.size(), 1);
  EXPECT_EQ(losses[0].step, odd.step);
  EXPECT_EQ(losses[0].layer, 11);
  EXPECT_EQ(losses[0].lr, odd.lr);
  EXPECT_EQ(losses[0].loss, odd.loss);
  EXPECT_EQ(losses[0].mse_mid, odd.mse_mid);
  EXPECT_TRUE(std::signbit(losses[0].mse_out));
  EXPECT_TRUE(std::isnan(losses[0].mse_out_transcoder));
}

TEST_F(HistoryFileTest, TheBytesAreThoseOfTheFormat) {
  ASSERT_OK(file_.Append(
      {{.step = 1, .layer = 258, .lr = 1.0, .loss = 0, .mse_mid = 0, .mse_out = 0, .mse_out_transcoder = -2.0}}));
  const std::string header = std::string("SPHISTRY\x01\0\0\0\x38\0\0\0", kHeaderSize);
  const std::string record = std::string("\x01\0\0\0\0\0\0\0", 8) + std::string("\x02\x01\0\0\0\0\0\0", 8) +
                             std::string("\0\0\0\0\0\0\xf0\x3f", 8) + std::string(24, '\0') +
                             std::string("\0\0\0\0\0\0\0\xc0", 8);
  EXPECT_EQ(FileContent(path_), header + record);
}

TEST_F(HistoryFileTest, AppendsAddUp) {
  ASSERT_OK(file_.Append(Losses(1, 2)));
  ASSERT_OK(HistoryFile(path_).Append(Losses(3, 3)));
  EXPECT_THAT(Steps(), ElementsAre(1, 2, 3));
}

TEST_F(HistoryFileTest, ReadsTakeAnyPart) {
  ASSERT_OK(file_.Append(Losses(1, 5)));
  EXPECT_THAT(Steps(0, 2), ElementsAre(1, 2));
  EXPECT_THAT(Steps(3, 2), ElementsAre(4, 5));
  EXPECT_THAT(Steps(3, std::numeric_limits<int64_t>::max()), ElementsAre(4, 5));
  EXPECT_THAT(Steps(5, 1), IsEmpty());
  EXPECT_THAT(Steps(std::numeric_limits<int64_t>::max(), 1), IsEmpty());
  EXPECT_THAT(Steps(2, 0), IsEmpty());
  EXPECT_THAT(Steps(-1, -1), IsEmpty());
}

TEST_F(HistoryFileTest, ARecordThatWasCutShortIsIgnoredAndOverwritten) {
  ASSERT_OK(file_.Append(Losses(1, 3)));
  const std::string whole = FileContent(path_);
  for (size_t torn = 1; torn < kRecordSize; ++torn) {
    WriteFile(path_, whole.substr(0, whole.size() - torn));
    ASSERT_THAT(Steps(), ElementsAre(1, 2)) << torn;
    ASSERT_OK(file_.Append({Loss(3)}));
    ASSERT_EQ(FileContent(path_), whole) << torn;
  }
}

TEST_F(HistoryFileTest, AHeaderThatWasCutShortIsWrittenAgain) {
  for (size_t size = 0; size < kHeaderSize; ++size) {
    WriteFile(path_, std::string("SPHISTRY\x01\0\0\0\x38\0\0\0", kHeaderSize).substr(0, size));
    ASSERT_THAT(Steps(), IsEmpty());
    ASSERT_OK(file_.TruncateAfter(1));
    ASSERT_OK(file_.Append({Loss(1)}));
    ASSERT_THAT(Steps(), ElementsAre(1));
  }
}

TEST_F(HistoryFileTest, CuttingBackRemovesTheStepsAfter) {
  ASSERT_OK(file_.Append({Loss(1, 0), Loss(1, 3), Loss(2, 0), Loss(2, 3), Loss(3, 0)}));
  ASSERT_OK(file_.TruncateAfter(7));
  EXPECT_THAT(Steps(), ElementsAre(1, 1, 2, 2, 3));
  ASSERT_OK(file_.TruncateAfter(2));
  EXPECT_THAT(Steps(), ElementsAre(1, 1, 2, 2));
  ASSERT_OK(file_.TruncateAfter(1));
  EXPECT_EQ(FileContent(path_).size(), kHeaderSize + 2 * kRecordSize);
  ASSERT_OK(file_.TruncateAfter(0));
  EXPECT_THAT(Steps(), IsEmpty());
}

TEST_F(HistoryFileTest, CuttingBackRemovesATornRecordToo) {
  ASSERT_OK(file_.Append(Losses(1, 3)));
  WriteFile(path_, FileContent(path_).substr(0, kHeaderSize + 2 * kRecordSize + 5));
  ASSERT_OK(file_.TruncateAfter(3));
  EXPECT_EQ(FileContent(path_).size(), kHeaderSize + 2 * kRecordSize);
}

TEST_F(HistoryFileTest, CuttingBackRemovesWhatThePowerCutLeftEmpty) {
  ASSERT_OK(file_.Append(Losses(1, 2)));
  WriteFile(path_, FileContent(path_) + std::string(2 * kRecordSize, '\0'));
  ASSERT_OK(file_.TruncateAfter(5));
  EXPECT_THAT(Steps(), ElementsAre(1, 2));
}

TEST_F(HistoryFileTest, AResumedRunWritesTheSameFile) {
  ASSERT_OK(file_.Append(Losses(1, 10)));
  const std::string uninterrupted = FileContent(path_);
  ASSERT_OK(file_.TruncateAfter(4));
  ASSERT_OK(file_.Append(Losses(5, 8)));
  ASSERT_OK(file_.Append(Losses(9, 10)));
  EXPECT_EQ(FileContent(path_), uninterrupted);
}

TEST_F(HistoryFileTest, AnotherFileIsRefusedAndKept) {
  const std::string text = "somebody's notes, long enough";
  WriteFile(path_, text);
  const auto corrupt = IsError(absl::StatusCode::kDataLoss, reason::kFileCorrupt);
  EXPECT_THAT(file_.Read(0, 1), corrupt);
  EXPECT_THAT(file_.Append({Loss(1)}), corrupt);
  EXPECT_THAT(file_.TruncateAfter(0), corrupt);
  EXPECT_EQ(FileContent(path_), text);
}

TEST_F(HistoryFileTest, ANewerVersionIsRefused) {
  for (const std::string& header : {std::string("SPHISTRY\x02\0\0\0\x38\0\0\0", kHeaderSize),
                                    std::string("SPHISTRY\x01\0\0\0\x40\0\0\0", kHeaderSize)}) {
    WriteFile(path_, header);
    EXPECT_THAT(file_.Read(0, 1), IsError(absl::StatusCode::kFailedPrecondition, reason::kFileUnsupported));
    EXPECT_THAT(file_.Append({Loss(1)}), IsError(absl::StatusCode::kFailedPrecondition, reason::kFileUnsupported));
  }
}

TEST_F(HistoryFileTest, AFolderThatIsNotThereIsAnError) {
  const absl::Status status = HistoryFile(folder_ / "none/history.bin").Append({Loss(1)});
  EXPECT_FALSE(status.ok());
  EXPECT_THAT(status, MessageHas(folder_ / "none/history.bin"));
}

TEST_F(HistoryFileTest, AFileThatMayNotBeWrittenIsRefused) {
  ASSERT_OK(file_.Append({Loss(1)}));
  MakeReadOnly(path_);
  WithoutPrivileges nobody;
  EXPECT_THAT(file_.Append({Loss(2)}), IsError(absl::StatusCode::kFailedPrecondition, reason::kStorageReadOnly));
  EXPECT_THAT(Steps(), ElementsAre(1));
}

// Files of this process may not grow beyond `bytes` while it lives.
class SizeLimit {
 public:
  explicit SizeLimit(rlim_t bytes) : handler_(std::signal(SIGXFSZ, SIG_IGN)) {
    EXPECT_EQ(::getrlimit(RLIMIT_FSIZE, &before_), 0);
    const rlimit limit{.rlim_cur = bytes, .rlim_max = before_.rlim_max};
    EXPECT_EQ(::setrlimit(RLIMIT_FSIZE, &limit), 0);
  }
  ~SizeLimit() {
    EXPECT_EQ(::setrlimit(RLIMIT_FSIZE, &before_), 0);
    std::signal(SIGXFSZ, handler_);
  }
  SizeLimit(const SizeLimit&) = delete;
  SizeLimit& operator=(const SizeLimit&) = delete;

 private:
  rlimit before_{};
  void (*const handler_)(int);
};

TEST_F(HistoryFileTest, AnAppendThatFailsHalfwayLeavesNothing) {
  ASSERT_OK(file_.Append(Losses(1, 3)));
  {
    const SizeLimit limit(kHeaderSize + 5 * kRecordSize + 9);
    EXPECT_FALSE(file_.Append(Losses(4, 9)).ok());
  }
  EXPECT_THAT(Steps(), ElementsAre(1, 2, 3));
  ASSERT_OK(file_.Append(Losses(4, 6)));
  EXPECT_THAT(Steps(), ElementsAre(1, 2, 3, 4, 5, 6));
}

TEST_F(HistoryFileTest, AFullDiskIsSaid) {
  EXPECT_THAT(HistoryFile("/dev/full").Append({Loss(1)}),
              IsError(absl::StatusCode::kResourceExhausted, reason::kStorageFull));
}

}  // namespace
}  // namespace superpose
