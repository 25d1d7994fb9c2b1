#include "server/midcoder_files/midcoder_importer.h"

#include <ATen/ATen.h>

#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "lib/base/sha256.h"
#include "server/runtime/reasons.h"
#include "tests/server/jobs/manager_rig.h"
#include "tests/server/jobs/temporary_folder.h"
#include "tests/server/runtime/fake_clock.h"
#include "tests/status_matchers.h"

namespace superpose {
namespace {

using testing::IsEmpty;
using testing::SizeIs;

constexpr char kTranscoder[] = "models/tiny/transcoders/layer1";
constexpr char kWithStatistics[] = SUPERPOSE_TEST_DATA "/midcoder/with_statistics.pt";

class MidcoderImporterTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_NE(TinyRegistry(), nullptr);
    ASSERT_OK_AND_ASSIGN(folder_, DataFolder::Open(parent_ / "data"));
    ASSERT_OK_AND_ASSIGN(database_, Database::Open(folder_->database_path()));
    ASSERT_OK_AND_ASSIGN(uploads_, UploadStore::Open(folder_.get(), int64_t{1} << 30, &clock_));
    midcoders_.emplace(folder_.get(), database_.get());
    snapshots_.emplace(folder_.get(), database_.get());
    importer_.emplace(MidcoderImporter::Parts{.registry = TinyRegistry(),
                                              .midcoders = &*midcoders_,
                                              .snapshots = &*snapshots_,
                                              .uploads = uploads_.get(),
                                              .clock = &clock_});
  }
  std::string Upload(const std::string& content) {
    const std::string name = "uploads/" + Sha256Hex(content);
    auto writer = uploads_->Write(name, static_cast<int64_t>(content.size()), 0);
    EXPECT_OK(writer);
    if (!writer.ok()) return name;
    EXPECT_OK((*writer)->CatchUp());
    EXPECT_OK((*writer)->Append(0, content));
    return name;
  }
  absl::StatusOr<v1::Midcoder> Import(const std::string& content, const std::string& request_id = "") {
    v1::ImportMidcoderRequest request;
    request.set_upload(Upload(content));
    request.set_transcoder(kTranscoder);
    request.set_request_id(request_id);
    return importer_->Import(request, "ada");
  }
  std::vector<v1::Snapshot> SnapshotsOf(const v1::Midcoder& midcoder) {
    const auto page = snapshots_->List(10, "", midcoder.name());
    EXPECT_OK(page);
    return page.ok() ? page->items : std::vector<v1::Snapshot>();
  }
  // A file of our own form, with such a description in its metadata.
  std::string OwnForm(const v1::Midcoder& midcoder, const std::string& description) {
    const auto file = midcoders_->Open(midcoder.name());
    EXPECT_OK(file);
    StringMap metadata = file->metadata();
    metadata["midcoder"] = description;
    EXPECT_OK(WriteSafetensors(parent_ / "own.safetensors", file->tensors(), metadata));
    return FileContent(parent_ / "own.safetensors");
  }
  std::string DescriptionOf(const v1::Midcoder& midcoder) {
    return midcoders_->Open(midcoder.name())->metadata().at("midcoder");
  }

  TemporaryFolder parent_;
  FakeClock clock_;
  std::unique_ptr<DataFolder> folder_;
  std::unique_ptr<Database> database_;
  std::unique_ptr<UploadStore> uploads_;
  std::optional<MidcoderStore> midcoders_;
  std::optional<SnapshotStore> snapshots_;
  std::optional<MidcoderImporter> importer_;
};

TEST_F(MidcoderImporterTest, AReferencesFileBecomesAMidcoderAndASnapshot) {
  ASSERT_OK_AND_ASSIGN(const v1::Midcoder midcoder, Import(FileContent(kWithStatistics)));
  EXPECT_EQ(midcoder.owner(), "ada");
  EXPECT_THAT(SnapshotsOf(midcoder), SizeIs(1));
  EXPECT_TRUE(std::filesystem::is_empty(parent_ / "data/uploads"));
}

// A server that died between the two leaves the midcoder's row, no snapshot, and the upload.
TEST_F(MidcoderImporterTest, TheSameRequestMakesTheSnapshotThatACrashLeftOut) {
  const std::string file = FileContent(kWithStatistics);
  ASSERT_OK_AND_ASSIGN(const v1::Midcoder first, Import(file, "once"));
  const std::vector<v1::Snapshot> made = SnapshotsOf(first);
  ASSERT_THAT(made, SizeIs(1));
  ASSERT_OK(snapshots_->Delete(made[0].name()));
  ASSERT_OK_AND_ASSIGN(const v1::Midcoder second, Import(file, "once"));
  EXPECT_EQ(second.name(), first.name());
  const std::vector<v1::Snapshot> again = SnapshotsOf(first);
  ASSERT_THAT(again, SizeIs(1));
  EXPECT_EQ(again[0].content_hash(), made[0].content_hash());
  EXPECT_EQ(again[0].tokens(), made[0].tokens());
  EXPECT_TRUE(std::filesystem::is_empty(parent_ / "data/uploads"));
}

TEST_F(MidcoderImporterTest, TheSameRequestAgainMakesNothing) {
  const std::string file = FileContent(kWithStatistics);
  ASSERT_OK_AND_ASSIGN(const v1::Midcoder first, Import(file, "once"));
  ASSERT_OK_AND_ASSIGN(const v1::Midcoder second, Import(file, "once"));
  EXPECT_EQ(second.name(), first.name());
  EXPECT_THAT(SnapshotsOf(first), SizeIs(1));
  EXPECT_THAT(midcoders_->List(10, "")->items, SizeIs(1));
}

TEST_F(MidcoderImporterTest, ASnapshotThatCannotBeKeptLeavesNoMidcoder) {
  std::filesystem::remove_all(parent_ / "data/snapshots");
  WriteFile(parent_ / "data/snapshots", "a file in its place");
  EXPECT_THAT(Import(FileContent(kWithStatistics), "once"),
              IsError(absl::StatusCode::kFailedPrecondition, reason::kConfigInvalid));
  EXPECT_THAT(midcoders_->List(10, "")->items, IsEmpty());
  EXPECT_TRUE(std::filesystem::is_empty(parent_ / "data/midcoders"));
  EXPECT_FALSE(std::filesystem::is_empty(parent_ / "data/uploads")) << "the upload is there for another try";
}

TEST_F(MidcoderImporterTest, OurOwnFormComesBackAsItWas) {
  ASSERT_OK_AND_ASSIGN(const v1::Midcoder midcoder, Import(FileContent(kWithStatistics)));
  ASSERT_OK_AND_ASSIGN(const v1::Midcoder again, Import(OwnForm(midcoder, DescriptionOf(midcoder))));
  EXPECT_EQ(again.content_hash(), midcoder.content_hash());
  EXPECT_EQ(again.spec().DebugString(), midcoder.spec().DebugString());
  EXPECT_THAT(SnapshotsOf(again), IsEmpty());
}

// Lists show what descriptions say: one of megabytes would make them too long for everybody.
TEST_F(MidcoderImporterTest, ADescriptionThatIsTooLongIsRefused) {
  ASSERT_OK_AND_ASSIGN(const v1::Midcoder midcoder, Import(FileContent(kWithStatistics)));
  std::string description = DescriptionOf(midcoder);
  ASSERT_EQ(description.front(), '{');
  description.insert(1, absl::StrCat("\"job\":\"", std::string(1 << 20, 'x'), "\","));
  EXPECT_THAT(Import(OwnForm(midcoder, description)),
              IsError(absl::StatusCode::kInvalidArgument, reason::kFileUnsupported));
  EXPECT_THAT(midcoders_->List(10, "")->items, SizeIs(1));
}

}  // namespace
}  // namespace superpose
