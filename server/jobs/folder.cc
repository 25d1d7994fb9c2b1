#include "server/jobs/folder.h"

#include <fcntl.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "server/jobs/storage_error.h"

namespace superpose {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kRoomToSpare = int64_t{64} << 20;

std::string ParentOf(const std::string& path) {
  const std::string parent = fs::path(path).parent_path().string();
  return parent.empty() ? "." : parent;
}

}  // namespace

absl::Status MakeFolder(const std::string& path) {
  std::error_code error;
  if (fs::is_directory(path, error)) return absl::OkStatus();
  const std::string parent = ParentOf(path);
  if (parent != path) SUPERPOSE_RETURN_IF_ERROR(MakeFolder(parent));
  error.clear();
  fs::create_directory(path, error);
  if (error == std::errc::not_a_directory || error == std::errc::file_exists) {
    return FailedPrecondition(reason::kConfigInvalid, path, " is no folder: a file is in its place");
  }
  if (error) return SystemError(error.value(), absl::StrCat("make the folder ", path));
  return SyncFolder(parent);
}

absl::Status SyncFolder(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return SystemError(errno, absl::StrCat("open the folder ", path));
  const int result = ::fsync(fd);
  const int error = errno;
  ::close(fd);
  return result == 0 ? absl::OkStatus() : SystemError(error, absl::StrCat("write the folder ", path));
}

absl::Status CheckRoomFor(int64_t bytes, const std::string& folder) {
  struct statvfs facts{};
  if (::statvfs(folder.c_str(), &facts) != 0) return SystemError(errno, absl::StrCat("ask for the room in ", folder));
  const auto room = static_cast<int64_t>(facts.f_bavail * facts.f_frsize);
  if (bytes <= room - kRoomToSpare) return absl::OkStatus();
  return ResourceExhausted(reason::kStorageFull, "the disk of ", folder, " has ", room, " bytes left, too few for ",
                           bytes, " more and ", kRoomToSpare, " to spare");
}

absl::Status RemoveAll(const std::string& path) {
  std::error_code error;
  fs::remove_all(path, error);
  return error ? SystemError(error.value(), absl::StrCat("remove ", path)) : absl::OkStatus();
}

}  // namespace superpose
