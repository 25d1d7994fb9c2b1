// What an upload is read from. Internal: client.h is the interface.
#pragma once

#include <cstdint>
#include <fstream>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace superpose::client {

// Bytes that can be read from any place, again and again. Not thread-safe.
class UploadSource {
 public:
  virtual ~UploadSource() = default;
  virtual int64_t size() const = 0;
  // Bytes [offset, offset + size), which must be there, into `out`. FAILED_PRECONDITION / FILE_NOT_FOUND when the file
  // has become shorter or cannot be read.
  virtual absl::Status Read(int64_t offset, int64_t size, std::string* out) = 0;
};

// NOT_FOUND / FILE_NOT_FOUND.
absl::StatusOr<std::unique_ptr<UploadSource>> OpenUploadFile(const std::string& path);
// `bytes` must outlive it.
std::unique_ptr<UploadSource> UploadFromMemory(absl::string_view bytes);

// "uploads/{SHA-256 of all its bytes}".
absl::StatusOr<std::string> UploadName(UploadSource* source);

}  // namespace superpose::client
