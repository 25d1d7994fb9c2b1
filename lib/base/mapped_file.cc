#include "lib/base/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "lib/base/error.h"

namespace superpose {
namespace {

absl::Status CannotRead(const std::string& path, int error) {
  return NotFound(reason::kFileNotFound, "cannot read ", path, ": ", std::strerror(error));
}

struct FileDescriptor {
  int fd;
  ~FileDescriptor() {
    if (fd >= 0) ::close(fd);
  }
};

}  // namespace

absl::StatusOr<std::shared_ptr<const MappedFile>> MappedFile::Open(const std::string& path) {
  // A pipe that nobody writes to would block without O_NONBLOCK; of a regular file it changes nothing.
  FileDescriptor file{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
  if (file.fd < 0) return CannotRead(path, errno);
  struct stat info;
  if (::fstat(file.fd, &info) != 0) return CannotRead(path, errno);
  if (!S_ISREG(info.st_mode)) return NotFound(reason::kFileNotFound, path, " is not a regular file");
  size_t size = static_cast<size_t>(info.st_size);
  void* data = nullptr;
  if (size > 0) {
    data = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file.fd, 0);
    if (data == MAP_FAILED) return CannotRead(path, errno);
  }
  return std::shared_ptr<const MappedFile>(new MappedFile(path, static_cast<const uint8_t*>(data), size));
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) ::munmap(const_cast<uint8_t*>(data_), size_);
}

}  // namespace superpose
