#include "server/uploads/upload_store.h"

#include <algorithm>
#include <filesystem>
#include <limits>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "lib/base/error.h"
#include "server/runtime/reasons.h"
#include "tests/server/jobs/temporary_folder.h"
#include "tests/server/runtime/fake_clock.h"
#include "tests/status_matchers.h"

namespace superpose {
namespace {

namespace fs = std::filesystem;

constexpr auto kPrecondition = absl::StatusCode::kFailedPrecondition;
constexpr int64_t kMostBytes = int64_t{32} << 20;

auto IsIncomplete() { return IsError(kPrecondition, reason::kUploadIncomplete); }
auto IsAbsent() { return IsError(absl::StatusCode::kNotFound, reason::kUploadNotFound); }
auto IsTakenOver() { return IsError(absl::StatusCode::kAborted, reason::kUploadIncomplete); }

std::string NameOf(absl::string_view content) { return absl::StrCat("uploads/", Sha256Hex(content)); }

class UploadStoreTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_OK_AND_ASSIGN(folder_, DataFolder::Open(parent_ / "data"));
    OpenStore();
  }
  void OpenStore(int64_t most_bytes = kMostBytes) {
    ASSERT_OK_AND_ASSIGN(store_, UploadStore::Open(folder_.get(), most_bytes, &clock_));
  }
  // Writes the bytes that follow `begin`, up to `end`, and leaves.
  absl::Status Send(const std::string& content, size_t begin, size_t end) {
    auto writer = store_->Write(NameOf(content), static_cast<int64_t>(content.size()), static_cast<int64_t>(begin));
    if (!writer.ok()) return writer.status();
    while (true) {
      const auto done = (*writer)->CatchUp();
      if (!done.ok()) return done.status();
      if (*done) break;
    }
    return (*writer)->Append(static_cast<int64_t>(begin), absl::string_view(content).substr(begin, end - begin));
  }
  absl::Status SendAll(const std::string& content) { return Send(content, 0, content.size()); }
  int64_t Committed(const std::string& content) {
    const auto upload = store_->Get(NameOf(content));
    EXPECT_OK(upload);
    return upload.ok() ? upload->committed_bytes() : -1;
  }
  std::vector<std::string> FileNames() const {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(parent_ / "data/uploads")) {
      names.push_back(entry.path().filename().string());
    }
    return names;
  }
  // Time after the last write, by the clock of the file system.
  void Age(absl::Duration age) { clock_.Advance(absl::Now() - clock_.Now() + age); }

  TemporaryFolder parent_;
  FakeClock clock_;
  std::unique_ptr<DataFolder> folder_;
  std::unique_ptr<UploadStore> store_;
};

TEST_F(UploadStoreTest, AWholeFileIsThereUnderItsHash) {
  const std::string content = "some bytes";
  EXPECT_THAT(store_->Get(NameOf(content)), IsAbsent());
  ASSERT_OK(SendAll(content));
  ASSERT_OK_AND_ASSIGN(const v1::Upload upload, store_->Get(NameOf(content)));
  EXPECT_EQ(upload.name(), NameOf(content));
  EXPECT_EQ(upload.size_bytes(), 10);
  EXPECT_EQ(upload.committed_bytes(), 10);
  ASSERT_OK_AND_ASSIGN(const std::string path, store_->PathOf(NameOf(content)));
  EXPECT_EQ(FileContent(path), content);
}

TEST_F(UploadStoreTest, NothingMoreAfterTheEndIsNoError) {
  ASSERT_OK_AND_ASSIGN(const auto writer, store_->Write(NameOf("abc"), 3, 0));
  ASSERT_OK(writer->CatchUp());
  ASSERT_OK(writer->Append(0, "abc"));
  EXPECT_OK(writer->Append(3, ""));
  EXPECT_THAT(writer->Append(3, "d"), IsError(absl::StatusCode::kInvalidArgument, reason::kConfigInvalid));
  EXPECT_EQ(FileContent(*store_->PathOf(NameOf("abc"))), "abc");
}

TEST_F(UploadStoreTest, AnEmptyFileIsComplete) {
  ASSERT_OK(SendAll(""));
  ASSERT_OK_AND_ASSIGN(const std::string path, store_->PathOf(NameOf("")));
  EXPECT_EQ(FileContent(path), "");
}

TEST_F(UploadStoreTest, ABrokenUploadGoesOnWhereItBroke) {
  const std::string content = "0123456789";
  ASSERT_OK(Send(content, 0, 4));
  EXPECT_EQ(Committed(content), 4);
  EXPECT_THAT(store_->PathOf(NameOf(content)), IsIncomplete());
  EXPECT_THAT(store_->PathOf(NameOf(content)), MessageHas("byte 4 of 10"));
  ASSERT_OK(Send(content, 4, 7));
  ASSERT_OK(Send(content, 7, 10));
  EXPECT_EQ(FileContent(*store_->PathOf(NameOf(content))), content);
}

TEST_F(UploadStoreTest, ABrokenUploadGoesOnAfterARestart) {
  std::string content;  // more than is read again in one go
  content.resize(9'000'000, 'x');
  ASSERT_OK(Send(content, 0, 8'999'999));
  OpenStore();
  EXPECT_EQ(Committed(content), 8'999'999);
  ASSERT_OK(Send(content, 8'999'999, 9'000'000));
  EXPECT_OK(store_->PathOf(NameOf(content)));
}

TEST_F(UploadStoreTest, AWholePartThatWasNotCheckedAsksForItsLastByteAgain) {
  const std::string content = "0123456789";
  WriteFile(parent_ / absl::StrCat("data/uploads/", Sha256Hex(content), ".10.part"), content);
  EXPECT_EQ(Committed(content), 9);
  EXPECT_THAT(store_->PathOf(NameOf(content)), IsIncomplete());
  ASSERT_OK(Send(content, 9, 10));
  EXPECT_EQ(FileContent(*store_->PathOf(NameOf(content))), content);
}

TEST_F(UploadStoreTest, APartThatIsLongerThanTheWholeIsCut) {
  const std::string content = "0123456789";
  WriteFile(parent_ / absl::StrCat("data/uploads/", Sha256Hex(content), ".10.part"), content + "and more");
  ASSERT_OK(Send(content, 9, 10));
  EXPECT_EQ(FileContent(*store_->PathOf(NameOf(content))), content);
}

TEST_F(UploadStoreTest, AnotherOffsetIsRefusedAndToldWhereToGoOn) {
  const std::string content = "0123456789";
  for (const int64_t offset : {int64_t{1}, int64_t{-1}, std::numeric_limits<int64_t>::max()}) {
    EXPECT_THAT(store_->Write(NameOf(content), 10, offset), IsIncomplete());
  }
  ASSERT_OK(Send(content, 0, 4));
  EXPECT_THAT(Send(content, 0, 4), IsIncomplete());
  EXPECT_THAT(Send(content, 0, 4), MessageHas("byte 4"));
  ASSERT_OK_AND_ASSIGN(const auto writer, store_->Write(NameOf(content), 10, 4));
  ASSERT_OK(writer->CatchUp());
  ASSERT_OK(writer->Append(4, "45"));
  EXPECT_THAT(writer->Append(4, "45"), IsIncomplete());
  EXPECT_THAT(writer->Append(7, "78"), IsIncomplete());
  EXPECT_EQ(writer->upload().committed_bytes(), 6);
}

TEST_F(UploadStoreTest, ACompleteUploadTakesNothingMore) {
  ASSERT_OK(SendAll("0123456789"));
  EXPECT_THAT(SendAll("0123456789"), IsIncomplete());
  ASSERT_OK_AND_ASSIGN(const auto writer, store_->Write(NameOf("0123456789"), 10, 10));
  EXPECT_OK(writer->CatchUp());
  EXPECT_OK(writer->Append(10, ""));
  EXPECT_EQ(writer->upload().committed_bytes(), 10);
  EXPECT_THAT(store_->Write(NameOf("0123456789"), 11, 10), IsIncomplete());
}

TEST_F(UploadStoreTest, OtherBytesThanTheNameSaysAreCorruptAndGo) {
  const std::string content = "0123456789";
  ASSERT_OK_AND_ASSIGN(auto writer, store_->Write(NameOf(content), 10, 0));
  ASSERT_OK(writer->CatchUp());
  const absl::Status status = writer->Append(0, "01234567_9");
  EXPECT_THAT(status, IsError(absl::StatusCode::kDataLoss, reason::kUploadCorrupt));
  EXPECT_THAT(status, MessageHas(Sha256Hex("01234567_9")));
  writer.reset();
  EXPECT_THAT(store_->Get(NameOf(content)), IsAbsent());
  EXPECT_TRUE(FileNames().empty());
  EXPECT_OK(SendAll(content));
}

TEST_F(UploadStoreTest, APartThatWasChangedOnDiskIsCorruptAtTheEnd) {
  const std::string content = "0123456789";
  WriteFile(parent_ / absl::StrCat("data/uploads/", Sha256Hex(content), ".10.part"), "0_23");
  EXPECT_THAT(Send(content, 4, 10), IsError(absl::StatusCode::kDataLoss, reason::kUploadCorrupt));
}

TEST_F(UploadStoreTest, BytesBeyondTheSizeAreRefusedAndWhatWasThereStays) {
  const std::string content = "0123456789";
  ASSERT_OK_AND_ASSIGN(const auto writer, store_->Write(NameOf(content), 10, 0));
  ASSERT_OK(writer->CatchUp());
  ASSERT_OK(writer->Append(0, "01234567"));
  EXPECT_THAT(writer->Append(8, "8910"), IsError(absl::StatusCode::kInvalidArgument, reason::kConfigInvalid));
  EXPECT_OK(writer->Append(8, "89"));
}

TEST_F(UploadStoreTest, NamesAreSixtyFourLowerCaseHexadecimalDigits) {
  const std::string id = Sha256Hex("x");
  const std::string upper = absl::AsciiStrToUpper(id);
  std::vector<std::string> names = {"",
                                    "uploads/",
                                    id,
                                    "uploads/" + upper,
                                    "uploads/" + id + "0",
                                    "uploads/" + id.substr(1),
                                    "uploads/../" + id.substr(3),
                                    "uploads/g" + id.substr(1),
                                    "uploads//" + id.substr(1),
                                    "midcoders/" + id,
                                    "uploads/" + id.substr(0, 63) + std::string(1, '\0')};
  for (const std::string& name : names) {
    const auto invalid = IsError(absl::StatusCode::kInvalidArgument, reason::kNameInvalid);
    EXPECT_THAT(store_->Get(name), invalid) << name;
    EXPECT_THAT(store_->Write(name, 1, 0), invalid) << name;
    EXPECT_THAT(store_->PathOf(name), invalid) << name;
    EXPECT_THAT(store_->LinkTo(name, parent_ / "data/x"), invalid) << name;
    EXPECT_THAT(store_->Remove(name), invalid) << name;
  }
  EXPECT_TRUE(FileNames().empty());
}

TEST_F(UploadStoreTest, SizesOverTheLimitAreRefusedBeforeAByteIsWritten) {
  const auto too_large = store_->Write(NameOf("x"), kMostBytes + 1, 0);
  EXPECT_THAT(too_large, IsError(absl::StatusCode::kResourceExhausted, reason::kRequestTooLarge));
  EXPECT_THAT(too_large, MessageHas("max_upload_bytes"));
  EXPECT_THAT(store_->Write(NameOf("x"), -1, 0), IsError(absl::StatusCode::kInvalidArgument, reason::kConfigInvalid));
  EXPECT_TRUE(FileNames().empty());
}

TEST_F(UploadStoreTest, AFileThatTheDiskCannotHoldIsRefusedAtTheStart) {
  OpenStore(std::numeric_limits<int64_t>::max());
  for (const int64_t size : {int64_t{1} << 60, std::numeric_limits<int64_t>::max()}) {
    EXPECT_THAT(store_->Write(NameOf("x"), size, 0),
                IsError(absl::StatusCode::kResourceExhausted, reason::kStorageFull));
  }
  EXPECT_TRUE(FileNames().empty());
}

TEST_F(UploadStoreTest, AFolderThatCannotBeWrittenToIsReadOnly) {
  MakeReadOnly(parent_ / "data/uploads");
  {
    const WithoutPrivileges nobody;
    EXPECT_THAT(SendAll("x"), IsError(kPrecondition, reason::kStorageReadOnly));
  }
  MakeWritable(parent_ / "data/uploads");
}

TEST_F(UploadStoreTest, ASecondWriterIsToldOfTheFirst) {
  const std::string content = "0123456789";
  ASSERT_OK_AND_ASSIGN(auto first, store_->Write(NameOf(content), 10, 0));
  EXPECT_THAT(store_->Write(NameOf(content), 10, 0), IsTakenOver());
  EXPECT_THAT(store_->Write(NameOf(content), 10, 0), MessageHas("another client"));
  EXPECT_THAT(store_->Remove(NameOf(content)), IsTakenOver());
  EXPECT_OK(store_->Write(NameOf("another"), 7, 0));
  first.reset();
  EXPECT_OK(store_->Write(NameOf(content), 10, 0));
}

TEST_F(UploadStoreTest, AWriterThatVanishedIsTakenOverAndMayNotWriteAnyMore) {
  const std::string content = "0123456789";
  ASSERT_OK_AND_ASSIGN(const auto first, store_->Write(NameOf(content), 10, 0));
  ASSERT_OK(first->CatchUp());
  ASSERT_OK(first->Append(0, "012"));
  clock_.Advance(UploadStore::kIdleWriter - absl::Seconds(1));
  EXPECT_THAT(store_->Write(NameOf(content), 10, 3), IsTakenOver());
  clock_.Advance(absl::Seconds(1));
  ASSERT_OK_AND_ASSIGN(const auto second, store_->Write(NameOf(content), 10, 3));
  EXPECT_THAT(first->Append(3, "___"), IsTakenOver());
  ASSERT_OK(second->CatchUp());
  EXPECT_OK(second->Append(3, "3456789"));
  EXPECT_EQ(FileContent(*store_->PathOf(NameOf(content))), content);
}

TEST_F(UploadStoreTest, APartOfAnotherSizeIsBegunAnew) {
  const std::string content = "0123456789";
  {
    ASSERT_OK_AND_ASSIGN(const auto wrong, store_->Write(NameOf(content), 12, 0));
    ASSERT_OK(wrong->CatchUp());
    ASSERT_OK(wrong->Append(0, "____"));
  }
  EXPECT_EQ(store_->Get(NameOf(content))->size_bytes(), 12);
  EXPECT_THAT(store_->Write(NameOf(content), 10, 4), IsIncomplete());
  ASSERT_OK(SendAll(content));
  EXPECT_EQ(FileNames(), std::vector<std::string>{Sha256Hex(content)});
}

TEST_F(UploadStoreTest, AFileWithASecondNameOutlivesItsUpload) {
  ASSERT_OK(SendAll("content"));
  const std::string target = parent_ / "data/midcoders/file.pt";
  ASSERT_OK(store_->LinkTo(NameOf("content"), target));
  EXPECT_OK(store_->PathOf(NameOf("content"))) << "it may be needed again";
  ASSERT_OK(store_->Remove(NameOf("content")));
  EXPECT_EQ(FileContent(target), "content");
  EXPECT_THAT(store_->LinkTo(NameOf("content"), target), IsAbsent());
  ASSERT_OK(Send("longer content", 0, 3));
  EXPECT_THAT(store_->LinkTo(NameOf("longer content"), target), IsIncomplete());
}

TEST_F(UploadStoreTest, ASecondNameTakesNoOtherFilesPlace) {
  ASSERT_OK(SendAll("content"));
  const std::string target = parent_ / "data/midcoders/file.pt";
  WriteFile(target, "other");
  EXPECT_THAT(store_->LinkTo(NameOf("content"), target), IsError(absl::StatusCode::kInternal, reason::kStorageFailed));
  EXPECT_EQ(FileContent(target), "other");
}

TEST_F(UploadStoreTest, ARemovedUploadIsGoneWhetherCompleteOrNot) {
  ASSERT_OK(SendAll("content"));
  ASSERT_OK(Send("longer content", 0, 3));
  EXPECT_OK(store_->Remove(NameOf("content")));
  EXPECT_OK(store_->Remove(NameOf("longer content")));
  EXPECT_OK(store_->Remove(NameOf("never sent")));
  EXPECT_TRUE(FileNames().empty());
}

TEST_F(UploadStoreTest, WhatIsAWeekOldGoesAtTheNextStartOrUpload) {
  ASSERT_OK(SendAll("content"));
  ASSERT_OK(Send("longer content", 0, 3));
  Age(UploadStore::kTimeToLive - absl::Minutes(5));
  OpenStore();
  EXPECT_EQ(FileNames().size(), 2U);
  Age(UploadStore::kTimeToLive + absl::Minutes(5));
  ASSERT_OK_AND_ASSIGN(const auto writer, store_->Write(NameOf("x"), 1, 0));
  EXPECT_EQ(FileNames(), std::vector<std::string>{absl::StrCat(Sha256Hex("x"), ".1.part")});
  OpenStore();
  EXPECT_TRUE(FileNames().empty());
}

TEST_F(UploadStoreTest, OtherFilesInTheFolderAreNoUploads) {
  const std::string id = Sha256Hex("content");
  for (const std::string& name : {id + ".part", id + ".x.part", id + ".7.tmp", "." + id}) {
    WriteFile(parent_ / ("data/uploads/" + name), "content");
  }
  fs::create_symlink("/etc/passwd", parent_ / ("data/uploads/" + id));
  EXPECT_THAT(store_->Get("uploads/" + id), IsAbsent());
  EXPECT_THAT(store_->PathOf("uploads/" + id), IsAbsent());
}

}  // namespace
}  // namespace superpose
