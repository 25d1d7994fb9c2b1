#include "lib/base/atomic_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <utility>

#include "lib/base/error.h"
#include "lib/base/status_macros.h"

namespace superpose {
namespace {

absl::Status WriteFailed(const std::string& path, int error) {
  return error == ENOSPC || error == EDQUOT
             ? ResourceExhausted(reason::kStorageFull, "no space left to write ", path)
             : FailedPrecondition(reason::kFileWriteFailed, "cannot write ", path, ": ", std::strerror(error));
}

absl::Status SyncFolderOf(const std::string& path) {
  std::string folder = std::filesystem::path(path).parent_path().string();
  int fd = ::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return WriteFailed(path, errno);
  int result = ::fsync(fd);
  int error = errno;
  ::close(fd);
  return result == 0 ? absl::OkStatus() : WriteFailed(path, error);
}

std::string TemporaryName(const std::string& path) {
  static std::atomic<uint64_t> counter{0};
  return absl::StrCat(path, ".", ::getpid(), ".", counter.fetch_add(1), ".tmp");
}

}  // namespace

absl::StatusOr<AtomicFile> AtomicFile::Create(const std::string& path) {
  std::string temporary = TemporaryName(path);
  int fd = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (fd < 0) return WriteFailed(path, errno);
  return AtomicFile(path, std::move(temporary), fd);
}

AtomicFile::AtomicFile(AtomicFile&& other) noexcept
    : path_(std::move(other.path_)), temporary_(std::move(other.temporary_)), fd_(std::exchange(other.fd_, -1)) {}

AtomicFile::~AtomicFile() {
  if (fd_ < 0) return;
  ::close(fd_);
  ::unlink(temporary_.c_str());
}

absl::Status AtomicFile::Write(const void* data, size_t size) {
  // Hundreds of megabytes in one call take up to ten times as long: the system then makes the writer wait for the disk.
  constexpr size_t kMostAtOnce = size_t{4} << 20;
  const char* next = static_cast<const char*>(data);
  while (size > 0) {
    ssize_t written = ::write(fd_, next, std::min(size, kMostAtOnce));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return WriteFailed(path_, errno);
    next += written;
    size -= static_cast<size_t>(written);
  }
  return absl::OkStatus();
}

absl::Status AtomicFile::Commit() {
  if (::fsync(fd_) != 0) return WriteFailed(path_, errno);
  if (::close(std::exchange(fd_, -1)) != 0 || ::rename(temporary_.c_str(), path_.c_str()) != 0) {
    absl::Status failed = WriteFailed(path_, errno);
    ::unlink(temporary_.c_str());
    return failed;
  }
  return SyncFolderOf(path_);
}

absl::Status WriteFileAtomically(const std::string& path, absl::string_view content) {
  SUPERPOSE_ASSIGN_OR_RETURN(AtomicFile file, AtomicFile::Create(path));
  SUPERPOSE_RETURN_IF_ERROR(file.Write(content));
  return file.Commit();
}

}  // namespace superpose
