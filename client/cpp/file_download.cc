#include "client/cpp/file_download.h"

#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/cpp/errors.h"
#include "client/cpp/request_id.h"
#include "client/cpp/status_macros.h"
#include "proto/crc32c.h"

namespace superpose::client {

FileDownload::FileDownload(std::filesystem::path path, std::filesystem::path partial)
    : path_(std::move(path)), partial_(std::move(partial)), file_(partial_, std::ios::binary | std::ios::trunc) {}

FileDownload::~FileDownload() {
  file_.close();
  std::error_code ignored;
  std::filesystem::remove(partial_, ignored);
}

absl::StatusOr<std::unique_ptr<FileDownload>> FileDownload::Create(const std::string& path) {
  std::filesystem::path target(path);
  std::filesystem::path partial = target.parent_path() / absl::StrCat(".", NewRequestId(), ".part");
  std::unique_ptr<FileDownload> download(new FileDownload(std::move(target), std::move(partial)));
  if (!download->file_) return download->WriteFailed();
  return download;
}

absl::Status FileDownload::WriteFailed() const {
  return MakeError(absl::StatusCode::kFailedPrecondition, "FILE_WRITE_FAILED",
                   absl::StrCat("cannot write ", path_.string()));
}

absl::Status FileDownload::Describe(const FilePiece& piece) {
  if (known_ && piece.size_bytes != size_) {
    return MakeError(absl::StatusCode::kFailedPrecondition, "INPUT_CHANGED", "the file changed while it was read");
  }
  size_ = piece.size_bytes;
  known_ = true;
  return absl::OkStatus();
}

absl::Status FileDownload::Add(const FilePiece& piece) {
  if (std::exchange(first_of_stream_, false)) SUPERPOSE_CLIENT_RETURN_IF_ERROR(Describe(piece));
  const auto bytes = static_cast<int64_t>(piece.data.size());
  if (piece.offset != received_) {
    return absl::DataLossError(
        absl::StrCat("a piece begins at byte ", piece.offset, " where ", received_, " was next"));
  }
  if (bytes > size_ - received_) return absl::DataLossError("the server sent more bytes than the file has");
  if (Crc32c(piece.data) != piece.crc32c) {
    return absl::DataLossError(absl::StrCat("the checksum of the piece at byte ", received_, " is wrong"));
  }
  if (!file_.write(piece.data.data(), bytes)) return WriteFailed();
  received_ += bytes;
  return absl::OkStatus();
}

absl::Status FileDownload::Keep() {
  file_.close();
  if (!file_) return WriteFailed();
  std::error_code error;
  std::filesystem::rename(partial_, path_, error);
  return error ? WriteFailed() : absl::OkStatus();
}

}  // namespace superpose::client
