#pragma once

#include <cstddef>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace superpose {

// Writes a file so that a reader sees the old content or the whole new one, also after a crash: a temporary file beside
// it, fsync, rename, fsync of the folder. Without Commit() the temporary file is removed. Errors: STORAGE_FULL,
// FILE_WRITE_FAILED.
class AtomicFile {
 public:
  static absl::StatusOr<AtomicFile> Create(const std::string& path);
  AtomicFile(AtomicFile&& other) noexcept;
  ~AtomicFile();

  absl::Status Write(const void* data, size_t size);
  absl::Status Write(absl::string_view text) { return Write(text.data(), text.size()); }
  absl::Status Commit();

 private:
  AtomicFile(std::string path, std::string temporary, int fd)
      : path_(std::move(path)), temporary_(std::move(temporary)), fd_(fd) {}
  std::string path_;
  std::string temporary_;
  int fd_;
};

absl::Status WriteFileAtomically(const std::string& path, absl::string_view content);

}  // namespace superpose
