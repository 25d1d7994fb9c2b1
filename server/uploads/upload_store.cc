#include "server/uploads/upload_store.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <optional>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "server/jobs/folder.h"
#include "server/jobs/storage_error.h"
#include "server/runtime/reasons.h"

namespace superpose {
namespace {

namespace fs = std::filesystem;

constexpr char kRoom[] = "uploads/";
constexpr absl::string_view kPartEnding = ".part";
constexpr int64_t kCatchUpBytes = int64_t{4} << 20;  // read in one go, so that other calls need not wait long
constexpr int64_t kSyncBytes = int64_t{64} << 20;    // written before the disk is waited for

// The id in "uploads/{id}", which becomes a file's name.
absl::StatusOr<std::string> IdOf(const std::string& name) {
  absl::string_view id = name;
  auto is_digit = [](char c) { return absl::ascii_isdigit(c) || (c >= 'a' && c <= 'f'); };
  if (absl::ConsumePrefix(&id, kRoom) && id.size() == 64 && std::all_of(id.begin(), id.end(), is_digit)) {
    return std::string(id);
  }
  return InvalidArgument(reason::kNameInvalid, "upload \"", name,
                         "\" must be uploads/{SHA-256 of the file, 64 lower-case hexadecimal digits}");
}

std::optional<int64_t> FileSize(const std::string& path) {
  struct stat info;
  if (::lstat(path.c_str(), &info) != 0 || !S_ISREG(info.st_mode)) return std::nullopt;
  return info.st_size;
}

absl::StatusOr<std::vector<std::string>> FileNamesIn(const std::string& folder) {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator next(folder, error), end; !error && next != end; next.increment(error)) {
    names.push_back(next->path().filename().string());
  }
  if (error) return SystemError(error.value(), absl::StrCat("list ", folder));
  return names;
}

v1::Upload UploadOf(const std::string& id, int64_t size, int64_t committed) {
  v1::Upload upload;
  upload.set_name(kRoom + id);
  upload.set_size_bytes(size);
  upload.set_committed_bytes(committed);
  return upload;
}

absl::Status NotAt(const std::string& id, int64_t offset, int64_t committed) {
  return FailedPrecondition(reason::kUploadIncomplete, kRoom, id, " stands at byte ", committed, ", not at ", offset,
                            ": go on there");
}

absl::Status TakenOver(const std::string& id) {
  return Error(absl::StatusCode::kAborted, reason::kUploadIncomplete,
               absl::StrCat(kRoom, id, " is being written by another client: ask where it stands, and try again"));
}

}  // namespace

absl::StatusOr<std::unique_ptr<UploadStore>> UploadStore::Open(const DataFolder* folder, int64_t max_bytes,
                                                               const Clock* clock) {
  std::unique_ptr<UploadStore> store(new UploadStore(folder->path() + "/uploads", max_bytes, clock));
  SUPERPOSE_RETURN_IF_ERROR(MakeFolder(store->folder_));
  const MutexLock lock(&store->mutex_);
  SUPERPOSE_RETURN_IF_ERROR(store->Sweep());
  return store;
}

std::string UploadStore::PartPath(const std::string& id, int64_t size) const {
  return absl::StrCat(folder_, "/", id, ".", size, kPartEnding);
}

absl::StatusOr<UploadStore::Part> UploadStore::FindPart(const std::string& id) const {
  SUPERPOSE_ASSIGN_OR_RETURN(const std::vector<std::string> names, FileNamesIn(folder_));
  for (const std::string& file : names) {
    absl::string_view size_text = file;
    Part part;
    if (!absl::ConsumePrefix(&size_text, id) || !absl::ConsumePrefix(&size_text, ".")) continue;
    if (!absl::ConsumeSuffix(&size_text, kPartEnding) || !absl::SimpleAtoi(size_text, &part.size)) continue;
    part.path = folder_ + "/" + file;
    // A server that was killed before it checked the whole left all bytes: the last must come again, and with it the
    // check.
    part.committed = std::max<int64_t>(std::min(FileSize(part.path).value_or(0), part.size - 1), 0);
    return part;
  }
  return Part();
}

absl::StatusOr<v1::Upload> UploadStore::Describe(const std::string& id) const {
  if (const std::optional<int64_t> size = FileSize(CompletePath(id)); size.has_value()) {
    return UploadOf(id, *size, *size);
  }
  SUPERPOSE_ASSIGN_OR_RETURN(const Part part, FindPart(id));
  if (!part.path.empty()) return UploadOf(id, part.size, part.committed);
  return NotFound(reason::kUploadNotFound, "there is no upload \"", kRoom, id,
                  "\": it was never begun, or has been used or a week old");
}

absl::StatusOr<v1::Upload> UploadStore::Get(const std::string& name) {
  SUPERPOSE_ASSIGN_OR_RETURN(const std::string id, IdOf(name));
  const MutexLock lock(&mutex_);
  return Describe(id);
}

absl::Status UploadStore::CheckFree(const std::string& id) {
  const auto claim = claims_.find(id);
  if (claim == claims_.end()) return absl::OkStatus();
  return clock_->Now() - claim->second.last_write < kIdleWriter ? TakenOver(id) : absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<UploadWriter>> UploadStore::Write(const std::string& name, int64_t size,
                                                                 int64_t offset) {
  SUPERPOSE_ASSIGN_OR_RETURN(const std::string id, IdOf(name));
  if (size < 0) {
    return InvalidArgument(reason::kConfigInvalid, "size_bytes is ", size, ": it must be 0 or more");
  }
  if (size > max_bytes_) {
    return ResourceExhausted(reason::kRequestTooLarge, "the file has ", size, " bytes, and an upload at most ",
                             max_bytes_, " (max_upload_bytes of the server's config)");
  }
  const MutexLock lock(&mutex_);
  SUPERPOSE_RETURN_IF_ERROR(Sweep());
  SUPERPOSE_RETURN_IF_ERROR(CheckFree(id));
  return NewWriter(id, size, offset);
}

absl::StatusOr<std::unique_ptr<UploadWriter>> UploadStore::NewWriter(const std::string& id, int64_t size,
                                                                     int64_t offset) {
  if (const std::optional<int64_t> complete = FileSize(CompletePath(id)); complete.has_value()) {
    if (offset != *complete || size != *complete) return NotAt(id, offset, *complete);
    return std::unique_ptr<UploadWriter>(new UploadWriter(this, id, /*token=*/0, /*fd=*/-1, size, size));
  }
  SUPERPOSE_ASSIGN_OR_RETURN(Part part, FindPart(id));
  const bool is_other = !part.path.empty() && part.size != size;
  const int64_t committed = is_other ? 0 : part.committed;
  if (offset != committed) return NotAt(id, offset, committed);
  SUPERPOSE_RETURN_IF_ERROR(CheckRoomFor(size - committed, folder_));
  if (is_other) SUPERPOSE_RETURN_IF_ERROR(RemoveAll(part.path));
  const std::string path = PartPath(id, size);
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
  if (fd < 0) return SystemError(errno, absl::StrCat("write ", path));
  if (::ftruncate(fd, committed) != 0) {
    const int error = errno;
    ::close(fd);
    return SystemError(error, absl::StrCat("write ", path));
  }
  const int64_t token = next_token_++;
  claims_[id] = {token, clock_->Now()};
  return std::unique_ptr<UploadWriter>(new UploadWriter(this, id, token, fd, size, committed));
}

absl::Status UploadStore::CheckClaim(const std::string& id, int64_t token) {
  const auto claim = claims_.find(id);
  if (claim == claims_.end() || claim->second.token != token) return TakenOver(id);
  claim->second.last_write = clock_->Now();
  return absl::OkStatus();
}

void UploadStore::Release(const std::string& id, int64_t token) {
  const MutexLock lock(&mutex_);
  const auto claim = claims_.find(id);
  if (claim != claims_.end() && claim->second.token == token) claims_.erase(claim);
}

absl::StatusOr<std::string> UploadStore::PathOf(const std::string& upload_name) {
  SUPERPOSE_ASSIGN_OR_RETURN(const std::string id, IdOf(upload_name));
  const MutexLock lock(&mutex_);
  if (FileSize(CompletePath(id)).has_value()) return CompletePath(id);
  SUPERPOSE_ASSIGN_OR_RETURN(const v1::Upload upload, Describe(id));
  return FailedPrecondition(reason::kUploadIncomplete, upload_name, " is not complete: it stands at byte ",
                            upload.committed_bytes(), " of ", upload.size_bytes());
}

absl::Status UploadStore::LinkTo(const std::string& upload_name, const std::string& path) {
  SUPERPOSE_ASSIGN_OR_RETURN(const std::string from, PathOf(upload_name));
  const MutexLock lock(&mutex_);
  int error = ::link(from.c_str(), path.c_str()) == 0 ? 0 : errno;
  if (error == EPERM || error == EOPNOTSUPP) error = ::rename(from.c_str(), path.c_str()) == 0 ? 0 : errno;
  if (error != 0) return SystemError(error, absl::StrCat("link ", from, " to ", path));
  return SyncFolder(fs::path(path).parent_path().string());
}

absl::Status UploadStore::Remove(const std::string& upload_name) {
  SUPERPOSE_ASSIGN_OR_RETURN(const std::string id, IdOf(upload_name));
  const MutexLock lock(&mutex_);
  SUPERPOSE_RETURN_IF_ERROR(CheckFree(id));
  SUPERPOSE_ASSIGN_OR_RETURN(const Part part, FindPart(id));
  if (!part.path.empty()) SUPERPOSE_RETURN_IF_ERROR(RemoveAll(part.path));
  return RemoveAll(CompletePath(id));
}

absl::Status UploadStore::Sweep() {
  SUPERPOSE_ASSIGN_OR_RETURN(const std::vector<std::string> names, FileNamesIn(folder_));
  for (const std::string& file : names) {
    const std::string path = folder_ + "/" + file;
    struct stat info;
    if (::lstat(path.c_str(), &info) != 0) continue;
    if (clock_->Now() - absl::TimeFromTimespec(info.st_mtim) < kTimeToLive) continue;
    SUPERPOSE_RETURN_IF_ERROR(RemoveAll(path));
  }
  return absl::OkStatus();
}

UploadWriter::~UploadWriter() {
  if (fd_ < 0) return;
  ::close(fd_);
  store_->Release(id_, token_);
}

absl::StatusOr<bool> UploadWriter::CatchUp() {
  if (fd_ < 0) return true;
  std::string block(static_cast<size_t>(std::min(kCatchUpBytes, committed_ - hashed_)), '\0');
  const ssize_t size = ::pread(fd_, block.data(), block.size(), hashed_);
  if (size < 0) return SystemError(errno, absl::StrCat("read ", kRoom, id_));
  if (size == 0 && !block.empty()) {
    return InternalError(reason::kStorageFailed, kRoom, id_, " has become shorter");
  }
  hash_.Update(block.data(), static_cast<size_t>(size));
  hashed_ += size;
  const MutexLock lock(&store_->mutex_);
  SUPERPOSE_RETURN_IF_ERROR(store_->CheckClaim(id_, token_));
  return hashed_ == committed_;
}

absl::Status UploadWriter::Append(int64_t offset, absl::string_view data) {
  const int64_t size = static_cast<int64_t>(data.size());
  if (offset != committed_) return NotAt(id_, offset, committed_);
  if (size > size_ - committed_) {
    return InvalidArgument(reason::kConfigInvalid, "a piece of ", size, " bytes at offset ", offset,
                           " goes beyond size_bytes, ", size_);
  }
  if (fd_ < 0 || complete_) return absl::OkStatus();
  const MutexLock lock(&store_->mutex_);
  SUPERPOSE_RETURN_IF_ERROR(store_->CheckClaim(id_, token_));
  SUPERPOSE_RETURN_IF_ERROR(WriteBytes(data));
  hash_.Update(data);
  hashed_ += size;
  const bool syncs = committed_ / kSyncBytes != (committed_ + size) / kSyncBytes;
  committed_ += size;
  if (committed_ == size_) return Complete();
  if (syncs && ::fdatasync(fd_) != 0) return SystemError(errno, absl::StrCat("write ", kRoom, id_));
  return absl::OkStatus();
}

absl::Status UploadWriter::WriteBytes(absl::string_view data) {
  int64_t position = committed_;
  while (!data.empty()) {
    const ssize_t written = ::pwrite(fd_, data.data(), data.size(), position);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) {
      const int error = errno;
      if (::ftruncate(fd_, committed_) != 0) return SystemError(errno, absl::StrCat("write ", kRoom, id_));
      return SystemError(error, absl::StrCat("write ", kRoom, id_));
    }
    data.remove_prefix(static_cast<size_t>(written));
    position += written;
  }
  return absl::OkStatus();
}

// Under the store's mutex.
absl::Status UploadWriter::Complete() {
  const std::string part = store_->PartPath(id_, size_);
  const std::string digest = hash_.HexDigest();
  if (digest != id_) {
    SUPERPOSE_RETURN_IF_ERROR(RemoveAll(part));
    return Error(absl::StatusCode::kDataLoss, reason::kUploadCorrupt,
                 absl::StrCat("the bytes that came have the SHA-256 ", digest, ", not that of their name, ", kRoom, id_,
                              ": send the file again, from its first byte"));
  }
  if (::fsync(fd_) != 0) return SystemError(errno, absl::StrCat("write ", part));
  if (::rename(part.c_str(), store_->CompletePath(id_).c_str()) != 0) {
    return SystemError(errno, absl::StrCat("rename ", part));
  }
  complete_ = true;
  return SyncFolder(store_->folder_);
}

v1::Upload UploadWriter::upload() const { return UploadOf(id_, size_, committed_); }

}  // namespace superpose
