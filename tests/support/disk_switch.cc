// A library to preload into a server (LD_PRELOAD), which then has a disk with a switch: the file that
// SUPERPOSE_TEST_DISK names. While it is there, with "full" in it no file can be written, with "read-only" none can be
// opened to be written. Everything else (sockets, pipes, reading) goes on.
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdarg>
#include <cstdlib>
#include <cstring>

namespace {

enum class Disk { kSound, kFull, kReadOnly };

template <typename Function>
Function* Real(const char* name) {
  return reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name));
}

Disk Now() {
  static const char* const path = getenv("SUPERPOSE_TEST_DISK");
  const int fd = path == nullptr ? -1 : Real<int(const char*, int, ...)>("open")(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return Disk::kSound;
  char first = 0;
  const ssize_t length = read(fd, &first, 1);
  close(fd);
  return length == 1 && first == 'f' ? Disk::kFull : Disk::kReadOnly;
}

// Whether writing to it fails.
bool Refuses(int fd) {
  struct stat facts{};
  if (fstat(fd, &facts) != 0 || !S_ISREG(facts.st_mode) || Now() != Disk::kFull) return false;
  errno = ENOSPC;
  return true;
}

bool RefusesToOpen(const char* path, int flags) {
  const bool is_device = strncmp(path, "/dev/", 5) == 0 || strncmp(path, "/proc/", 6) == 0;
  if (is_device || (flags & O_ACCMODE) == O_RDONLY || Now() != Disk::kReadOnly) return false;
  errno = EROFS;
  return true;
}

}  // namespace

extern "C" {

ssize_t write(int fd, const void* data, size_t size) {
  const int before = errno;
  if (Refuses(fd)) return -1;
  errno = before;
  return Real<ssize_t(int, const void*, size_t)>("write")(fd, data, size);
}

ssize_t pwrite(int fd, const void* data, size_t size, off_t offset) {
  if (Refuses(fd)) return -1;
  return Real<ssize_t(int, const void*, size_t, off_t)>("pwrite")(fd, data, size, offset);
}

ssize_t pwrite64(int fd, const void* data, size_t size, off64_t offset) {
  if (Refuses(fd)) return -1;
  return Real<ssize_t(int, const void*, size_t, off64_t)>("pwrite64")(fd, data, size, offset);
}

int open(const char* path, int flags, ...) {
  va_list rest;
  va_start(rest, flags);
  const mode_t mode = (flags & O_CREAT) != 0 ? va_arg(rest, mode_t) : 0;
  va_end(rest);
  return RefusesToOpen(path, flags) ? -1 : Real<int(const char*, int, ...)>("open")(path, flags, mode);
}

int open64(const char* path, int flags, ...) {
  va_list rest;
  va_start(rest, flags);
  const mode_t mode = (flags & O_CREAT) != 0 ? va_arg(rest, mode_t) : 0;
  va_end(rest);
  return RefusesToOpen(path, flags) ? -1 : Real<int(const char*, int, ...)>("open64")(path, flags, mode);
}

}  // extern "C"
