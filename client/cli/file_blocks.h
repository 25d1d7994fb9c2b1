// A file read from its beginning to its end, unfolded on the way where it is compressed.
#pragma once

#include <cstdint>
#include <fstream>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "client/cli/unfolder.h"

namespace superpose::cli {

class FileBlocks {
 public:
  // Compressed if its name ends in .gz or .zst. NOT_FOUND / FILE_NOT_FOUND.
  static absl::StatusOr<std::unique_ptr<FileBlocks>> Open(const std::string& path);

  // The next bytes, at most 256 KiB, valid until the next call; empty at the end. Errors name the file: those of
  // Unfolder; FILE_CORRUPT also for what ends too soon, and for what the server, too, takes for a decompression bomb:
  // over 200 times the file's size, once that is more than 16 MiB, or over 64 GiB.
  absl::StatusOr<absl::string_view> Next();
  // Bytes of the file that have been read.
  int64_t taken() const { return taken_; }

 private:
  FileBlocks(std::string path, std::unique_ptr<Unfolder> unfolder);
  absl::Status Fill();
  absl::Status CheckLimits() const;
  absl::Status Corrupt(absl::string_view what) const;

  const std::string path_;
  std::ifstream file_;
  const std::unique_ptr<Unfolder> unfolder_;  // null: not compressed
  std::string read_;                          // from the file
  absl::string_view input_;                   // what is left of it
  std::string unfolded_;
  int64_t taken_ = 0;
  int64_t given_ = 0;
};

}  // namespace superpose::cli
