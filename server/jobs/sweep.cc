#include "server/jobs/sweep.h"

#include <algorithm>
#include <filesystem>
#include <set>
#include <string>
#include <system_error>
#include <vector>

#include "absl/strings/str_cat.h"
#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "server/jobs/folder.h"
#include "server/jobs/statement.h"
#include "server/jobs/storage_error.h"
#include "superpose/v1/job.pb.h"

namespace superpose {
namespace {

namespace fs = std::filesystem;

// Tables, where in the data folder each keeps one folder a row, and the rows that need theirs.
struct Room {
  const char* name;
  const char* condition;
};
constexpr Room kRooms[] = {{"jobs", "state IN (1, 2, 4) OR keeps_files"},
                           {"midcoders", "TRUE"},
                           {"snapshots", "TRUE"},
                           {"factorizations", "TRUE"}};
static_assert(v1::JOB_STATE_QUEUED == 1 && v1::JOB_STATE_RUNNING == 2 && v1::JOB_STATE_FAILED == 4);

absl::StatusOr<std::vector<fs::path>> EntriesOf(const std::string& folder) {
  std::vector<fs::path> entries;
  std::error_code error;
  for (fs::directory_iterator next(folder, error), end; !error && next != end; next.increment(error)) {
    entries.push_back(next->path());
  }
  if (error) return SystemError(error.value(), absl::StrCat("list ", folder));
  return entries;
}

bool IsFolder(const fs::path& path) {
  std::error_code error;
  return fs::is_directory(fs::symlink_status(path, error));
}

absl::Status RemoveTemporaryFiles(const std::string& folder) {
  SUPERPOSE_ASSIGN_OR_RETURN(const std::vector<fs::path> entries, EntriesOf(folder));
  for (const fs::path& entry : entries) {
    if (entry.extension() == ".tmp" && !IsFolder(entry)) SUPERPOSE_RETURN_IF_ERROR(RemoveAll(entry.string()));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::set<std::string>> NamesIn(Database* database, const Room& room) {
  return database->Transact([&](sqlite3* connection) -> absl::StatusOr<std::set<std::string>> {
    Statement select(connection, absl::StrCat("SELECT name FROM ", room.name, " WHERE ", room.condition));
    std::set<std::string> names;
    while (true) {
      SUPERPOSE_ASSIGN_OR_RETURN(const bool more, select.Step());
      if (!more) return names;
      names.insert(select.Text(0));
    }
  });
}

// Whether the database has ever held a row: SQLite keeps the last number that each table gave.
absl::StatusOr<bool> WasUsed(Database* database) {
  return database->Transact([](sqlite3* connection) -> absl::StatusOr<bool> {
    Statement select(connection, "SELECT 1 FROM sqlite_sequence WHERE seq > 0");
    return select.Step();
  });
}

// Nothing but temporary files may go when the database that named the folders was lost.
absl::Status CheckDatabaseIsTheirs(const DataFolder& folder, Database* database) {
  SUPERPOSE_ASSIGN_OR_RETURN(const bool used, WasUsed(database));
  if (used) return absl::OkStatus();
  for (const Room& room : kRooms) {
    SUPERPOSE_ASSIGN_OR_RETURN(const std::vector<fs::path> entries, EntriesOf(folder.FolderOf(room.name)));
    const auto found = std::find_if(entries.begin(), entries.end(), IsFolder);
    if (found == entries.end()) continue;
    return FailedPrecondition(reason::kFileNotFound, "the database that belongs to ", found->string(),
                              " is missing: ", folder.database_path(),
                              " is a new one. Put it back, or move the folders in ", folder.FolderOf(room.name),
                              " away");
  }
  return absl::OkStatus();
}

absl::Status SweepRoom(const DataFolder& folder, Database* database, const Room& room) {
  SUPERPOSE_ASSIGN_OR_RETURN(const std::set<std::string> names, NamesIn(database, room));
  const std::string path = folder.FolderOf(room.name);
  SUPERPOSE_RETURN_IF_ERROR(RemoveTemporaryFiles(path));
  SUPERPOSE_ASSIGN_OR_RETURN(const std::vector<fs::path> entries, EntriesOf(path));
  for (const fs::path& entry : entries) {
    if (!IsFolder(entry)) continue;
    const bool named = names.contains(absl::StrCat(room.name, "/", entry.filename().string()));
    SUPERPOSE_RETURN_IF_ERROR(named ? RemoveTemporaryFiles(entry.string()) : RemoveAll(entry.string()));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status Sweep(const DataFolder& folder, Database* database) {
  SUPERPOSE_RETURN_IF_ERROR(CheckDatabaseIsTheirs(folder, database));
  SUPERPOSE_RETURN_IF_ERROR(RemoveTemporaryFiles(folder.path()));
  for (const Room& room : kRooms) SUPERPOSE_RETURN_IF_ERROR(SweepRoom(folder, database, room));
  return absl::OkStatus();
}

}  // namespace superpose
