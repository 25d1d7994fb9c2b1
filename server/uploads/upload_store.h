#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "lib/base/mutex.h"
#include "lib/base/sha256.h"
#include "server/jobs/data_folder.h"
#include "server/runtime/clock.h"
#include "superpose/v1/upload_service.pb.h"

namespace superpose {

class UploadWriter;

// Files from clients, named by the SHA-256 of their bytes ("uploads/{64 lower-case hex digits}"), in the data folder:
//   uploads/{sha256}              a complete file, which has that hash
//   uploads/{sha256}.{size}.part  the first bytes of one that will have `size`
// What is there survives a broken stream and a killed server. A file goes a week after it was last written to.
// Thread-safe; blocks on disk: not on gRPC's threads, and not on the device's. Errors beside those named: NAME_INVALID,
// STORAGE_FULL, STORAGE_READ_ONLY, STORAGE_FAILED.
class UploadStore {
 public:
  // Both must outlive this. Makes the folder, and removes what is a week old.
  static absl::StatusOr<std::unique_ptr<UploadStore>> Open(const DataFolder* folder, int64_t max_bytes,
                                                           const Clock* clock);

  // How much there is of an upload. NOT_FOUND / UPLOAD_NOT_FOUND.
  absl::StatusOr<v1::Upload> Get(const std::string& name);

  // Begins an upload of `size` bytes, or goes on where it stands, which must be at `offset`; 0 also begins anew where a
  // part of another size lies. The store must outlive the writer. RESOURCE_EXHAUSTED / REQUEST_TOO_LARGE over
  // `max_bytes`; STORAGE_FULL when the disk has no room for the rest; FAILED_PRECONDITION / UPLOAD_INCOMPLETE at
  // another offset; ABORTED / UPLOAD_INCOMPLETE while another writer is at it, unless that has been idle for
  // kIdleWriter; CONFIG_INVALID for a negative size.
  absl::StatusOr<std::unique_ptr<UploadWriter>> Write(const std::string& name, int64_t size, int64_t offset);

  // The file of a complete upload, which stays there until it is moved, removed or a week old: map or open it at once.
  // NOT_FOUND / UPLOAD_NOT_FOUND; FAILED_PRECONDITION / UPLOAD_INCOMPLETE.
  absl::StatusOr<std::string> PathOf(const std::string& upload_name);

  // Gives the file of a complete upload a second name, `path`, in the same data folder; the upload stays until it is
  // removed, so that whatever fails or crashes in between costs nobody a file that has been sent. A disk without second
  // names moves it. Errors: as PathOf.
  absl::Status LinkTo(const std::string& upload_name, const std::string& path);

  // Forgets an upload whose bytes were used and are not needed any more, complete or not. No error when there is none.
  absl::Status Remove(const std::string& upload_name);

  static constexpr absl::Duration kIdleWriter = absl::Seconds(30);
  static constexpr absl::Duration kTimeToLive = absl::Hours(7 * 24);

 private:
  friend class UploadWriter;
  struct Claim {  // who writes an upload
    int64_t token = 0;
    absl::Time last_write;
  };
  struct Part {
    std::string path;  // empty: none
    int64_t size = 0;  // that the whole will have
    int64_t committed = 0;
  };
  UploadStore(std::string folder, int64_t max_bytes, const Clock* clock)
      : folder_(std::move(folder)), max_bytes_(max_bytes), clock_(clock) {}

  std::string CompletePath(const std::string& id) const { return folder_ + "/" + id; }
  std::string PartPath(const std::string& id, int64_t size) const;
  absl::StatusOr<Part> FindPart(const std::string& id) const;
  absl::StatusOr<v1::Upload> Describe(const std::string& id) const;
  absl::Status CheckFree(const std::string& id) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status Sweep() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::StatusOr<std::unique_ptr<UploadWriter>> NewWriter(const std::string& id, int64_t size, int64_t offset)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Whether the writer of this token may still write.
  absl::Status CheckClaim(const std::string& id, int64_t token) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Release(const std::string& id, int64_t token);

  const std::string folder_;
  const int64_t max_bytes_;
  const Clock* const clock_;
  Mutex mutex_;
  std::map<std::string, Claim> claims_ ABSL_GUARDED_BY(mutex_);
  int64_t next_token_ ABSL_GUARDED_BY(mutex_) = 1;
};

// One client's writing of one upload; from one thread at a time. What was appended stays when this goes.
class UploadWriter {
 public:
  ~UploadWriter();
  UploadWriter(const UploadWriter&) = delete;
  UploadWriter& operator=(const UploadWriter&) = delete;

  // Reads some megabytes of what was there before, for the hash; true when all is read. Call it until then, before
  // anything is appended.
  absl::StatusOr<bool> CatchUp();

  // Takes the bytes that begin at `offset`; an empty file takes none, once. With the last one the whole is checked and
  // complete. FAILED_PRECONDITION / UPLOAD_INCOMPLETE at another offset; INVALID_ARGUMENT / CONFIG_INVALID beyond the
  // size; DATA_LOSS / UPLOAD_CORRUPT when the whole has another hash: the upload is gone then; ABORTED /
  // UPLOAD_INCOMPLETE when another writer took over.
  absl::Status Append(int64_t offset, absl::string_view data);

  // Where it stands.
  v1::Upload upload() const;

 private:
  friend class UploadStore;
  UploadWriter(UploadStore* store, std::string id, int64_t token, int fd, int64_t size, int64_t committed)
      : store_(store), id_(std::move(id)), token_(token), fd_(fd), size_(size), committed_(committed) {}
  absl::Status WriteBytes(absl::string_view data);
  absl::Status Complete();

  UploadStore* const store_;
  const std::string id_;
  const int64_t token_;
  const int fd_;  // -1: it was complete already
  const int64_t size_;
  int64_t committed_;
  bool complete_ = false;
  int64_t hashed_ = 0;
  Sha256 hash_;
};

}  // namespace superpose
