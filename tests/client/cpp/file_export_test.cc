#include "client/cpp/file_export.h"

#include <filesystem>
#include <fstream>
#include <sstream>

#include "proto/crc32c.h"
#include "tests/client/matchers.h"
#include "tests/support/test_folder.h"

namespace superpose::client {
namespace {

FilePiece Piece(int64_t offset, absl::string_view data, int64_t size) { return {size, offset, data, Crc32c(data)}; }

TEST(ExportFormTest, TheEndingSaysWhichForm) {
  EXPECT_EQ(*ExportFormOf("a/b.safetensors"), ExportForm::kSafetensors);
  EXPECT_EQ(*ExportFormOf("b.pt"), ExportForm::kReference);
  for (const char* path : {"", "b", "b.bin", "pt", "b.pt/"}) {
    EXPECT_THAT(ExportFormOf(path), FailsWith(absl::StatusCode::kInvalidArgument, "CONFIG_INVALID")) << path;
  }
}

class DownloadFileTest : public ::testing::Test {
 protected:
  // Downloads from a server that sends "abcde", as the streams do what `read` says.
  absl::Status Download(const std::function<absl::Status(int stream, FileDownload* download)>& read) {
    absl::StatusOr<std::unique_ptr<FileDownload>> download = FileDownload::Create(path_);
    if (!download.ok()) return download.status();
    return DownloadFile(
        [&](FileDownload* into) {
          into->BeginStream();
          return read(streams_++, into);
        },
        download->get());
  }
  std::string Content() const {
    std::ostringstream content;
    content << std::ifstream(path_, std::ios::binary).rdbuf();
    return content.str();
  }

  const TestFolder folder_;
  const std::string path_ = folder_.File("m.pt");
  int streams_ = 0;
};

TEST_F(DownloadFileTest, AStreamThatBreaksGoesOnWhereItBroke) {
  EXPECT_OK(Download([](int stream, FileDownload* download) {
    if (stream > 0) return download->Add(Piece(download->received(), "de", 5));
    EXPECT_OK(download->Add(Piece(0, "abc", 5)));
    return absl::UnavailableError("gone");
  }));
  EXPECT_EQ(streams_, 2);
  EXPECT_EQ(Content(), "abcde");
}

TEST_F(DownloadFileTest, ADamagedPieceIsReadAgain) {
  EXPECT_OK(Download([](int stream, FileDownload* download) {
    FilePiece piece = Piece(0, "abcde", 5);
    if (stream == 0) ++piece.crc32c;
    return download->Add(piece);
  }));
  EXPECT_EQ(Content(), "abcde");
}

TEST_F(DownloadFileTest, AStreamThatEndsEarlyIsNoFile) {
  EXPECT_THAT(Download([](int stream, FileDownload* download) {
                return stream == 0 ? download->Add(Piece(0, "abc", 5)) : absl::OkStatus();
              }),
              FailsWith(absl::StatusCode::kDataLoss, ""));
  EXPECT_EQ(streams_, 6) << "five without a new byte, after the one with";
  EXPECT_TRUE(std::filesystem::is_empty(folder_.path()));
}

TEST_F(DownloadFileTest, AnyOtherErrorEndsItAtOnce) {
  EXPECT_THAT(Download([](int, FileDownload*) {
                return MakeError(absl::StatusCode::kNotFound, "FACTORIZATION_NOT_FOUND", "none");
              }),
              FailsWith(absl::StatusCode::kNotFound, "FACTORIZATION_NOT_FOUND"));
  EXPECT_EQ(streams_, 1);
  EXPECT_TRUE(std::filesystem::is_empty(folder_.path()));
}

}  // namespace
}  // namespace superpose::client
