#include "server/jobs/storage_error.h"

#include <cerrno>
#include <cstring>
#include <string>

#include "absl/strings/str_cat.h"
#include "lib/base/error.h"
#include "server/runtime/reasons.h"

namespace superpose {
namespace {

std::string FileOf(sqlite3* connection) {
  const char* file = connection == nullptr ? nullptr : sqlite3_db_filename(connection, "main");
  return file == nullptr || *file == '\0' ? "the database" : file;
}

}  // namespace

absl::Status SystemError(int error, absl::string_view action) {
  const std::string message = absl::StrCat("cannot ", action, ": ", std::strerror(error));
  switch (error) {
    case ENOSPC:
    case EDQUOT:
      return ResourceExhausted(reason::kStorageFull, message);
    case EACCES:
    case EPERM:
    case EROFS:
      return FailedPrecondition(reason::kStorageReadOnly, message);
    default:
      return InternalError(reason::kStorageFailed, message);
  }
}

absl::Status SqlError(sqlite3* connection, int code) {
  const char* text = connection == nullptr ? sqlite3_errstr(code) : sqlite3_errmsg(connection);
  const std::string message = absl::StrCat(FileOf(connection), ": ", text, " (SQLite's code ", code, ")");
  switch (code & 0xff) {  // the rest of an extended code only refines it
    case SQLITE_FULL:
      return ResourceExhausted(reason::kStorageFull, message);
    case SQLITE_READONLY:
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
      return FailedPrecondition(reason::kStorageReadOnly, message);
    case SQLITE_NOTADB:
    case SQLITE_CORRUPT:
      return Error(absl::StatusCode::kDataLoss, reason::kFileCorrupt, message);
    default:
      return InternalError(reason::kStorageFailed, message);
  }
}

}  // namespace superpose
