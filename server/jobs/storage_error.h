// What fails on disk or in SQLite, as Status: the one place that decides which reason a failure has.
#pragma once

#include <sqlite3.h>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace superpose {

// A failed system call, from its errno. RESOURCE_EXHAUSTED / STORAGE_FULL, FAILED_PRECONDITION / STORAGE_READ_ONLY,
// else INTERNAL / STORAGE_FAILED. `action` says what was tried: "write /data/LOCK".
absl::Status SystemError(int error, absl::string_view action);

// A failed call of SQLite, from its result code; `connection` may be null. As above, and DATA_LOSS / FILE_CORRUPT when
// the file is no database or a damaged one.
absl::Status SqlError(sqlite3* connection, int code);

}  // namespace superpose
