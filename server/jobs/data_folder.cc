#include "server/jobs/data_folder.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "server/jobs/folder.h"
#include "server/jobs/storage_error.h"
#include "server/runtime/reasons.h"

namespace superpose {
namespace {

// The lock's file says which process holds it, for the message to others.
void WriteHolder(int lock) {
  const std::string holder = absl::StrCat(::getpid(), "\n");
  if (::ftruncate(lock, 0) != 0 || ::pwrite(lock, holder.data(), holder.size(), 0) < 0) return;  // then it stays unsaid
}

std::string HolderOf(int lock) {
  std::array<char, 32> text{};
  const ssize_t size = ::pread(lock, text.data(), text.size(), 0);
  const absl::string_view holder = absl::StripSuffix({text.data(), static_cast<size_t>(size > 0 ? size : 0)}, "\n");
  return holder.empty() ? "" : absl::StrCat(" (process ", holder, ")");
}

absl::Status CheckWritable(const std::string& path) {
  // With the rights that the process has now, not those it was started with.
  if (::faccessat(AT_FDCWD, path.c_str(), R_OK | W_OK | X_OK, AT_EACCESS) == 0) return absl::OkStatus();
  return SystemError(errno, absl::StrCat("write in ", path));
}

// The open, locked file.
absl::StatusOr<int> TakeLock(const std::string& folder) {
  const std::string path = folder + "/LOCK";
  const int lock = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (lock < 0) return SystemError(errno, absl::StrCat("open ", path));
  if (::flock(lock, LOCK_EX | LOCK_NB) == 0) {
    WriteHolder(lock);
    return lock;
  }
  const int error = errno;
  const std::string holder = HolderOf(lock);
  ::close(lock);
  if (error != EWOULDBLOCK) return SystemError(error, absl::StrCat("lock ", path));
  return FailedPrecondition(reason::kDataDirInUse, "another server", holder, " uses the data folder ", folder,
                            ": stop it, or give this one a data_dir of its own");
}

}  // namespace

absl::StatusOr<std::unique_ptr<DataFolder>> DataFolder::Open(const std::string& path) {
  SUPERPOSE_RETURN_IF_ERROR(MakeFolder(path));
  SUPERPOSE_RETURN_IF_ERROR(CheckWritable(path));
  SUPERPOSE_ASSIGN_OR_RETURN(const int lock, TakeLock(path));
  std::unique_ptr<DataFolder> folder(new DataFolder(path, lock));
  for (const char* room : {"/jobs", "/midcoders", "/snapshots", "/factorizations"}) {
    SUPERPOSE_RETURN_IF_ERROR(MakeFolder(path + room));
    SUPERPOSE_RETURN_IF_ERROR(CheckWritable(path + room));
  }
  return folder;
}

DataFolder::~DataFolder() { ::close(lock_); }

}  // namespace superpose
