// Midcoders there and back as files, and the snapshots that they bring.
#include <filesystem>

#include "tests/client/tiny_server_test.h"
#include "tests/support/test_folder.h"

namespace superpose::client {
namespace {

using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr char kTranscoder[] = "models/tiny/transcoders/layer1";
constexpr char kWithStatistics[] = SUPERPOSE_TEST_DATA "/midcoder/with_statistics.pt";

class MidcoderFileCallsTest : public TinyServerTest {
 protected:
  void SetUp() override {
    TinyServerTest::SetUp();
    absl::StatusOr<v1::Midcoder> midcoder = client().ImportMidcoder(kWithStatistics, kTranscoder);
    ASSERT_OK(midcoder);
    midcoder_ = *std::move(midcoder);
  }
  std::string WMidOf(const std::string& midcoder) const {
    absl::StatusOr<Tensor> tensor = client().ReadTensor(midcoder, "W_mid");
    EXPECT_OK(tensor);
    return tensor.ok() ? tensor->bytes : "";
  }

  const TestFolder folder_;
  v1::Midcoder midcoder_;
};

TEST_F(MidcoderFileCallsTest, AFileOfTheReferencesBecomesAMidcoderWithASnapshot) {
  EXPECT_EQ(midcoder_.imported_from(), "reference .pt");
  EXPECT_EQ(midcoder_.owner(), "tester");
  EXPECT_EQ(midcoder_.spec().batch_size(), 8);
  ASSERT_OK_AND_ASSIGN(const auto snapshots, client().ListSnapshots({.midcoder = midcoder_.name()}));
  ASSERT_THAT(snapshots, SizeIs(1));
  ASSERT_OK_AND_ASSIGN(const v1::Snapshot snapshot, client().GetSnapshot(snapshots[0].name()));
  EXPECT_EQ(snapshot.midcoder(), midcoder_.name());
  EXPECT_TRUE(snapshot.has_feature_ids());
  EXPECT_OK(client().ReadTensor(snapshot.name(), "act_cov_sum"));
}

TEST_F(MidcoderFileCallsTest, EveryFormCanBeExportedAndImported) {
  for (const char* name : {"m.pt", "m.safetensors"}) {
    const std::string path = folder_.File(name);
    int64_t done = 0, size = 0;
    ExportOptions options;
    options.on_progress = [&](int64_t so_far, int64_t total) { done = so_far, size = total; };
    ASSERT_OK(client().ExportMidcoder(midcoder_.name(), path, options)) << name;
    EXPECT_EQ(static_cast<int64_t>(std::filesystem::file_size(path)), done);
    EXPECT_EQ(done, size);
    ASSERT_OK_AND_ASSIGN(const v1::Midcoder again, client().ImportMidcoder(path, kTranscoder));
    EXPECT_EQ(WMidOf(again.name()), WMidOf(midcoder_.name())) << name;
    EXPECT_THAT(again.snapshots(), IsEmpty());
  }
}

TEST_F(MidcoderFileCallsTest, ASnapshotTravelsInTheReferencesForm) {
  ASSERT_THAT(midcoder_.snapshots(), SizeIs(1));
  const std::string path = folder_.File("m.pt");
  ASSERT_OK(client().ExportMidcoder(midcoder_.name(), path, {.snapshot = midcoder_.snapshots(0)}));
  ASSERT_OK_AND_ASSIGN(const v1::Midcoder again, client().ImportMidcoder(path, kTranscoder));
  ASSERT_THAT(again.snapshots(), SizeIs(1));
  ASSERT_OK_AND_ASSIGN(const Tensor before, client().ReadTensor(midcoder_.snapshots(0), "act_cov_sum"));
  ASSERT_OK_AND_ASSIGN(const Tensor after, client().ReadTensor(again.snapshots(0), "act_cov_sum"));
  EXPECT_EQ(after.bytes, before.bytes);
}

TEST_F(MidcoderFileCallsTest, TheSameRequestIdGivesTheSameMidcoder) {
  ASSERT_OK_AND_ASSIGN(const std::string upload, client().Upload(kWithStatistics));
  v1::ImportMidcoderRequest request;
  request.set_upload(upload);
  request.set_transcoder(kTranscoder);
  request.set_request_id("import-once");
  ASSERT_OK_AND_ASSIGN(const v1::Midcoder first, client().ImportMidcoder(request));
  ASSERT_OK_AND_ASSIGN(const v1::Midcoder second, client().ImportMidcoder(request));
  EXPECT_EQ(first.name(), second.name());
}

TEST_F(MidcoderFileCallsTest, SnapshotsAreDeleted) {
  ASSERT_THAT(midcoder_.snapshots(), SizeIs(1));
  const std::string name = midcoder_.snapshots(0);
  EXPECT_OK(client().DeleteSnapshot(name));
  EXPECT_THAT(client().GetSnapshot(name), FailsWith(absl::StatusCode::kNotFound, "SNAPSHOT_NOT_FOUND"));
  EXPECT_THAT(client().DeleteSnapshot(name), FailsWith(absl::StatusCode::kNotFound, "SNAPSHOT_NOT_FOUND"));
  ASSERT_OK_AND_ASSIGN(const auto left, client().ListSnapshots({.midcoder = midcoder_.name()}));
  EXPECT_THAT(left, IsEmpty());
}

TEST_F(MidcoderFileCallsTest, WhatGoesWrongHasItsReasonAndLeavesNoFile) {
  EXPECT_THAT(client().ExportMidcoder("midcoders/none", folder_.File("m.pt")),
              FailsWith(absl::StatusCode::kNotFound, "MIDCODER_NOT_FOUND"));
  EXPECT_THAT(client().ExportMidcoder(midcoder_.name(), folder_.File("m.bin")),
              FailsWith(absl::StatusCode::kInvalidArgument, "CONFIG_INVALID"));
  EXPECT_THAT(client().ExportMidcoder(midcoder_.name(), "/no/such/folder/m.pt"),
              FailsWith(absl::StatusCode::kFailedPrecondition, "FILE_WRITE_FAILED"));
  EXPECT_TRUE(std::filesystem::is_empty(folder_.path()));
  EXPECT_THAT(client().ImportMidcoder(folder_.File("none.pt")),
              FailsWith(absl::StatusCode::kNotFound, "FILE_NOT_FOUND"));
  EXPECT_THAT(client().ImportMidcoder(folder_.Write("text.pt", "no checkpoint at all"), kTranscoder),
              FailsWith(absl::StatusCode::kInvalidArgument, "FILE_CORRUPT"));
}

}  // namespace
}  // namespace superpose::client
