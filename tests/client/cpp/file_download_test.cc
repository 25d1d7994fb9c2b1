#include "client/cpp/file_download.h"

#include <filesystem>
#include <fstream>
#include <sstream>

#include "proto/crc32c.h"
#include "tests/client/matchers.h"
#include "tests/support/test_folder.h"

namespace superpose::client {
namespace {

namespace fs = std::filesystem;

std::string ContentOf(const std::string& path) {
  std::ostringstream content;
  content << std::ifstream(path, std::ios::binary).rdbuf();
  return content.str();
}

FilePiece Piece(int64_t offset, absl::string_view data, int64_t size = 0) { return {size, offset, data, Crc32c(data)}; }

class FileDownloadTest : public ::testing::Test {
 protected:
  void SetUp() override {
    absl::StatusOr<std::unique_ptr<FileDownload>> download = FileDownload::Create(path_);
    ASSERT_OK(download);
    download_ = *std::move(download);
  }
  int FilesThere() const {
    return static_cast<int>(std::distance(fs::directory_iterator(folder_.path()), fs::directory_iterator()));
  }

  const TestFolder folder_;
  const std::string path_ = folder_.File("m.pt");
  std::unique_ptr<FileDownload> download_;
};

TEST_F(FileDownloadTest, PiecesOfTwoStreamsMakeTheFile) {
  EXPECT_OK(download_->Add(Piece(0, "abc", 5)));
  EXPECT_EQ(download_->received(), 3);
  EXPECT_FALSE(download_->complete());
  download_->BeginStream();
  EXPECT_OK(download_->Add(Piece(3, "de", 5)));
  EXPECT_TRUE(download_->complete());
  EXPECT_FALSE(fs::exists(path_));
  EXPECT_OK(download_->Keep());
  EXPECT_EQ(ContentOf(path_), "abcde");
  download_.reset();
  EXPECT_EQ(FilesThere(), 1);
}

TEST_F(FileDownloadTest, AFileThatIsThereIsReplacedOnlyByAWholeOne) {
  folder_.Write("m.pt", "old");
  EXPECT_OK(download_->Add(Piece(0, "ab", 3)));
  download_.reset();
  EXPECT_EQ(ContentOf(path_), "old");
  EXPECT_EQ(FilesThere(), 1);
}

TEST_F(FileDownloadTest, AnEmptyFileIsComplete) {
  EXPECT_FALSE(download_->complete());
  EXPECT_OK(download_->Add(Piece(0, "", 0)));
  EXPECT_TRUE(download_->complete());
}

TEST_F(FileDownloadTest, DamagedAndMisplacedPiecesAreNotTaken) {
  EXPECT_OK(download_->Add(Piece(0, "abc", 5)));
  FilePiece damaged = Piece(3, "de");
  ++damaged.crc32c;
  EXPECT_THAT(download_->Add(damaged), FailsWith(absl::StatusCode::kDataLoss, ""));
  EXPECT_THAT(download_->Add(Piece(4, "e")), FailsWith(absl::StatusCode::kDataLoss, ""));
  EXPECT_THAT(download_->Add(Piece(3, "def")), FailsWith(absl::StatusCode::kDataLoss, ""));
  EXPECT_EQ(download_->received(), 3);
  EXPECT_OK(download_->Add(Piece(3, "de")));
  EXPECT_TRUE(download_->complete());
}

TEST_F(FileDownloadTest, AnotherFileThanTheOneThatWasBegunIsRefused) {
  EXPECT_OK(download_->Add(Piece(0, "abc", 5)));
  download_->BeginStream();
  EXPECT_THAT(download_->Add(Piece(3, "de", 6)), FailsWith(absl::StatusCode::kFailedPrecondition, "INPUT_CHANGED"));
}

TEST(FileDownloadPlaceTest, AFolderThatIsNotThereIsAnError) {
  EXPECT_THAT(FileDownload::Create("/no/such/folder/m.pt"),
              FailsWith(absl::StatusCode::kFailedPrecondition, "FILE_WRITE_FAILED"));
}

}  // namespace
}  // namespace superpose::client
