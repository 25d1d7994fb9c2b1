#include "server/jobs/history_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <utility>

#include "absl/strings/str_cat.h"
#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "server/jobs/folder.h"
#include "server/jobs/storage_error.h"

namespace superpose {
namespace {

static_assert(std::endian::native == std::endian::little, "the file's numbers are little-endian");

struct Header {
  char magic[8];
  uint32_t version;
  uint32_t record_size;
};

struct Record {
  int64_t step;
  int32_t layer;
  int32_t variant;
  double lr;
  double loss;
  double mse_mid;
  double mse_out;
  double mse_out_transcoder;
};

static_assert(sizeof(Header) == 16 && sizeof(Record) == 56);
constexpr Header kHeader = {{'S', 'P', 'H', 'I', 'S', 'T', 'R', 'Y'}, 1, sizeof(Record)};

Record RecordOf(const StepLoss& loss) {
  return {loss.step,
          static_cast<int32_t>(loss.layer),
          static_cast<int32_t>(loss.variant),
          loss.lr,
          loss.loss,
          loss.mse_mid,
          loss.mse_out,
          loss.mse_out_transcoder};
}

StepLoss LossOf(const Record& record) {
  return {.step = record.step,
          .layer = record.layer,
          .variant = record.variant,
          .lr = record.lr,
          .loss = record.loss,
          .mse_mid = record.mse_mid,
          .mse_out = record.mse_out,
          .mse_out_transcoder = record.mse_out_transcoder};
}

int64_t OffsetOf(int64_t row) {
  return static_cast<int64_t>(sizeof(Header)) + row * static_cast<int64_t>(sizeof(Record));
}

// An open history file whose header has been checked.
class OpenFile {
 public:
  // `flags` as for open(2). NOT_FOUND / FILE_NOT_FOUND when there is none.
  static absl::StatusOr<OpenFile> Open(const std::string& path, int flags);
  OpenFile(OpenFile&& other) noexcept
      : path_(std::move(other.path_)), fd_(std::exchange(other.fd_, -1)), rows_(other.rows_) {}
  ~OpenFile() {
    if (fd_ >= 0) ::close(fd_);
  }

  int64_t rows() const { return rows_; }  // whole records
  absl::Status Read(int64_t offset, void* data, size_t size) const;
  absl::Status Write(int64_t offset, const void* data, size_t size);
  absl::Status Truncate(int64_t rows);
  absl::Status Sync();

 private:
  OpenFile(std::string path, int fd) : path_(std::move(path)), fd_(fd) {}
  absl::Status CheckHeader();
  absl::Status Failed(int error, absl::string_view verb) const {
    return SystemError(error, absl::StrCat(verb, " ", path_));
  }

  std::string path_;
  int fd_;
  int64_t rows_ = -1;  // -1: not even a header
};

absl::StatusOr<OpenFile> OpenFile::Open(const std::string& path, int flags) {
  const int fd = ::open(path.c_str(), flags | O_CLOEXEC, 0644);
  if (fd < 0 && errno == ENOENT) return NotFound(reason::kFileNotFound, "there is no file ", path);
  if (fd < 0) return SystemError(errno, absl::StrCat("open ", path));
  OpenFile file(path, fd);
  SUPERPOSE_RETURN_IF_ERROR(file.CheckHeader());
  return file;
}

absl::Status OpenFile::CheckHeader() {
  struct stat facts{};
  if (::fstat(fd_, &facts) != 0) return Failed(errno, "read");
  if (facts.st_size < static_cast<off_t>(sizeof(Header))) return absl::OkStatus();
  Header header;
  SUPERPOSE_RETURN_IF_ERROR(Read(0, &header, sizeof header));
  if (std::memcmp(header.magic, kHeader.magic, sizeof header.magic) != 0) {
    return Error(absl::StatusCode::kDataLoss, reason::kFileCorrupt, absl::StrCat(path_, " is no history of losses"));
  }
  if (header.version != kHeader.version || header.record_size != kHeader.record_size) {
    return FailedPrecondition(reason::kFileUnsupported, path_, " is a history of version ", header.version,
                              ", and this server reads version ", kHeader.version);
  }
  rows_ = (facts.st_size - static_cast<off_t>(sizeof(Header))) / static_cast<off_t>(sizeof(Record));
  return absl::OkStatus();
}

absl::Status OpenFile::Read(int64_t offset, void* data, size_t size) const {
  char* next = static_cast<char*>(data);
  while (size > 0) {
    const ssize_t read = ::pread(fd_, next, size, offset);
    if (read < 0 && errno == EINTR) continue;
    if (read <= 0) return Failed(read < 0 ? errno : EIO, "read");
    next += read;
    offset += read;
    size -= static_cast<size_t>(read);
  }
  return absl::OkStatus();
}

absl::Status OpenFile::Write(int64_t offset, const void* data, size_t size) {
  const char* next = static_cast<const char*>(data);
  while (size > 0) {
    const ssize_t written = ::pwrite(fd_, next, size, offset);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return Failed(errno, "write");
    next += written;
    offset += written;
    size -= static_cast<size_t>(written);
  }
  return absl::OkStatus();
}

absl::Status OpenFile::Truncate(int64_t rows) {
  if (::ftruncate(fd_, OffsetOf(rows)) != 0) return Failed(errno, "cut");
  rows_ = rows;
  return absl::OkStatus();
}

absl::Status OpenFile::Sync() { return ::fsync(fd_) == 0 ? absl::OkStatus() : Failed(errno, "write"); }

}  // namespace

absl::Status HistoryFile::Append(const std::vector<StepLoss>& records) {
  if (records.empty()) return absl::OkStatus();
  SUPERPOSE_ASSIGN_OR_RETURN(OpenFile file, OpenFile::Open(path_, O_RDWR | O_CREAT));
  const bool fresh = file.rows() < 0;
  if (fresh) SUPERPOSE_RETURN_IF_ERROR(file.Write(0, &kHeader, sizeof kHeader));
  std::vector<Record> rows(records.size());
  std::transform(records.begin(), records.end(), rows.begin(), RecordOf);
  const int64_t before = fresh ? 0 : file.rows();
  // Over a record that was cut short, if there is one: new ones are never shorter than it.
  absl::Status written = file.Write(OffsetOf(before), rows.data(), rows.size() * sizeof(Record));
  if (written.ok()) written = file.Sync();
  if (!written.ok()) {
    file.Truncate(before).IgnoreError();  // what failed is told, and not what failed after it
    return written;
  }
  return fresh ? SyncFolder(std::filesystem::path(path_).parent_path().string()) : absl::OkStatus();
}

absl::Status HistoryFile::TruncateAfter(int64_t step) {
  absl::StatusOr<OpenFile> file = OpenFile::Open(path_, O_RDWR);
  if (absl::IsNotFound(file.status())) return absl::OkStatus();
  SUPERPOSE_RETURN_IF_ERROR(file.status());
  int64_t rows = std::max<int64_t>(file->rows(), 0);
  while (rows > 0) {
    Record last;
    SUPERPOSE_RETURN_IF_ERROR(file->Read(OffsetOf(rows - 1), &last, sizeof last));
    // A step of 0 is a part of the file that a crash of the machine left unwritten.
    if (last.step >= 1 && last.step <= step) break;
    --rows;
  }
  if (file->rows() < 0) return absl::OkStatus();
  SUPERPOSE_RETURN_IF_ERROR(file->Truncate(rows));
  return file->Sync();
}

absl::StatusOr<std::vector<StepLoss>> HistoryFile::Read(int64_t skip, int64_t count) const {
  absl::StatusOr<OpenFile> file = OpenFile::Open(path_, O_RDONLY);
  if (absl::IsNotFound(file.status())) return std::vector<StepLoss>();
  SUPERPOSE_RETURN_IF_ERROR(file.status());
  const int64_t first = std::clamp<int64_t>(skip, 0, std::max<int64_t>(file->rows(), 0));
  const int64_t last = first + std::clamp<int64_t>(count, 0, std::max<int64_t>(file->rows(), 0) - first);
  std::vector<Record> rows(static_cast<size_t>(last - first));
  SUPERPOSE_RETURN_IF_ERROR(file->Read(OffsetOf(first), rows.data(), rows.size() * sizeof(Record)));
  std::vector<StepLoss> records(rows.size());
  std::transform(rows.begin(), rows.end(), records.begin(), LossOf);
  return records;
}

}  // namespace superpose
