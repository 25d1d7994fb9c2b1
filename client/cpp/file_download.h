// A file on its way from the server. Internal: client.h is the interface.
#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace superpose::client {

// A piece of a file, as the contract's exports stream it.
struct FilePiece {
  int64_t size_bytes = 0;  // of the whole file; in the first piece of a stream
  int64_t offset = 0;      // where `data` begins in the file
  absl::string_view data;
  uint32_t crc32c = 0;  // of `data`
};

// Puts the pieces of a file together, over several streams where one broke, beside the place where it is to be. What is
// not kept is removed.
class FileDownload {
 public:
  // FAILED_PRECONDITION / FILE_WRITE_FAILED when the folder cannot be written to.
  static absl::StatusOr<std::unique_ptr<FileDownload>> Create(const std::string& path);
  ~FileDownload();
  FileDownload(const FileDownload&) = delete;
  FileDownload& operator=(const FileDownload&) = delete;

  // To call before the first piece of every stream: that one says how large the file is.
  void BeginStream() { first_of_stream_ = true; }
  // Takes the next piece. DATA_LOSS when its checksum or its place is wrong, FAILED_PRECONDITION / INPUT_CHANGED when a
  // later stream sends a file of another size, FILE_WRITE_FAILED.
  absl::Status Add(const FilePiece& piece);
  // Puts the file, which must be complete, in its place.
  absl::Status Keep();

  // Where the next stream begins.
  int64_t received() const { return received_; }
  int64_t size() const { return size_; }
  bool complete() const { return known_ && received_ == size_; }

 private:
  FileDownload(std::filesystem::path path, std::filesystem::path partial);
  absl::Status Describe(const FilePiece& piece);
  absl::Status WriteFailed() const;

  const std::filesystem::path path_;
  const std::filesystem::path partial_;
  std::ofstream file_;
  int64_t received_ = 0;
  int64_t size_ = 0;
  bool known_ = false;
  bool first_of_stream_ = true;
};

}  // namespace superpose::client
