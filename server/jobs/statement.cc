#include "server/jobs/statement.h"

#include "lib/base/status_macros.h"
#include "server/jobs/storage_error.h"

namespace superpose {

Statement::Statement(sqlite3* connection, absl::string_view sql) : connection_(connection) {
  code_ = sqlite3_prepare_v2(connection, sql.data(), static_cast<int>(sql.size()), &statement_, nullptr);
}

Statement::~Statement() { sqlite3_finalize(statement_); }

absl::StatusOr<bool> Statement::Step() {
  if (code_ != SQLITE_OK) return SqlError(connection_, code_);
  const int code = sqlite3_step(statement_);
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  code_ = code;
  return SqlError(connection_, code);
}

absl::Status Statement::Run() {
  bool more = true;
  while (more) {
    SUPERPOSE_ASSIGN_OR_RETURN(more, Step());
  }
  return absl::OkStatus();
}

std::string Statement::Text(int column) const {
  // The bytes first: asking for their number may not change where they lie afterwards.
  const void* bytes = sqlite3_column_blob(statement_, column);
  const int size = sqlite3_column_bytes(statement_, column);
  return bytes == nullptr ? std::string() : std::string(static_cast<const char*>(bytes), static_cast<size_t>(size));
}

}  // namespace superpose
