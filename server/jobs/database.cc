#include "server/jobs/database.h"

#include "lib/base/status_macros.h"
#include "server/jobs/schema.h"
#include "server/jobs/statement.h"
#include "server/jobs/storage_error.h"

namespace superpose {
namespace {

// Another connection (a shell that looks at the file, a second server on the same queue) is waited for this long.
constexpr int kBusyMilliseconds = 10'000;

// Ends a transaction that was not committed, also when its body throws; else every later one would fail. After some
// errors SQLite has rolled back by itself.
class RollbackAtEnd {
 public:
  explicit RollbackAtEnd(sqlite3* connection) : connection_(connection) {}
  ~RollbackAtEnd() {
    if (sqlite3_get_autocommit(connection_) == 0) sqlite3_exec(connection_, "ROLLBACK", nullptr, nullptr, nullptr);
  }
  RollbackAtEnd(const RollbackAtEnd&) = delete;
  RollbackAtEnd& operator=(const RollbackAtEnd&) = delete;

 private:
  sqlite3* const connection_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Database>> Database::Open(const std::string& path) {
  sqlite3* connection = nullptr;
  const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
  const int code = sqlite3_open_v2(path.c_str(), &connection, flags, nullptr);
  std::unique_ptr<Database> database(new Database(connection));
  if (code != SQLITE_OK) return SqlError(connection, code);
  SUPERPOSE_RETURN_IF_ERROR(database->Configure());
  SUPERPOSE_RETURN_IF_ERROR(database->Run([](sqlite3* its) { return Migrate(its, SchemaMigrations()); }));
  return database;
}

absl::Status Database::Configure() {
  MutexLock lock(&mutex_);
  // SQLite opens a file that it may not write to for reading, without a word.
  if (sqlite3_db_readonly(connection_, "main") == 1) return SqlError(connection_, SQLITE_READONLY);
  sqlite3_busy_timeout(connection_, kBusyMilliseconds);
  for (const char* pragma : {"PRAGMA journal_mode = WAL", "PRAGMA synchronous = FULL", "PRAGMA foreign_keys = ON"}) {
    SUPERPOSE_RETURN_IF_ERROR(Statement(connection_, pragma).Run());
  }
  return absl::OkStatus();
}

Database::~Database() { sqlite3_close(connection_); }

absl::Status Database::Run(const std::function<absl::Status(sqlite3* connection)>& body) {
  MutexLock lock(&mutex_);
  // From the start as a writer: a reader that turns writer is refused at once when another one wrote in between.
  SUPERPOSE_RETURN_IF_ERROR(Statement(connection_, "BEGIN IMMEDIATE").Run());
  const RollbackAtEnd rollback(connection_);
  SUPERPOSE_RETURN_IF_ERROR(body(connection_));
  return Statement(connection_, "COMMIT").Run();
}

}  // namespace superpose
