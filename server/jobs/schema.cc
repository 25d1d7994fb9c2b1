#include "server/jobs/schema.h"

#include <cstdint>
#include <string>

#include "absl/strings/str_cat.h"
#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "server/jobs/statement.h"
#include "server/jobs/storage_error.h"
#include "server/runtime/reasons.h"

namespace superpose {
namespace {

// Times are nanoseconds since 1970. The BLOBs of jobs are serialized v1::Job messages that hold only some fields (spec;
// progress and metrics; result or error) and merge into one; those of midcoders, snapshots and factorizations are
// whole v1::Midcoder, v1::Snapshot and v1::Factorization messages.
constexpr const char* kMigrations[] = {
    R"sql(
      CREATE TABLE jobs (
        sequence INTEGER PRIMARY KEY AUTOINCREMENT,
        name TEXT NOT NULL UNIQUE,
        owner TEXT NOT NULL,
        priority INTEGER NOT NULL,
        state INTEGER NOT NULL,
        spec BLOB NOT NULL,
        spec_version INTEGER NOT NULL,
        request_id TEXT NOT NULL,
        request_hash TEXT NOT NULL,
        progress BLOB NOT NULL DEFAULT x'',
        outcome BLOB NOT NULL DEFAULT x'',
        cancel_requested INTEGER NOT NULL DEFAULT 0,
        attempt INTEGER NOT NULL DEFAULT 0,
        fencing_token INTEGER NOT NULL DEFAULT 0,
        worker TEXT NOT NULL DEFAULT '',
        lease_expires INTEGER,
        create_time INTEGER NOT NULL,
        start_time INTEGER,
        end_time INTEGER
      ) STRICT;
      CREATE UNIQUE INDEX jobs_by_request ON jobs (owner, request_id) WHERE request_id <> '';
      CREATE INDEX jobs_by_state ON jobs (state, sequence);

      CREATE TABLE midcoders (
        sequence INTEGER PRIMARY KEY AUTOINCREMENT,
        name TEXT NOT NULL UNIQUE,
        owner TEXT NOT NULL,
        job TEXT NOT NULL,
        layer INTEGER NOT NULL,
        descriptor BLOB NOT NULL,
        create_time INTEGER NOT NULL
      ) STRICT;
      CREATE UNIQUE INDEX midcoders_by_job ON midcoders (job, layer) WHERE job <> '';
    )sql",
    R"sql(
      ALTER TABLE jobs ADD COLUMN recoveries INTEGER NOT NULL DEFAULT 0;
      ALTER TABLE jobs DROP COLUMN spec_version;
    )sql",
    R"sql(
      CREATE TABLE snapshots (
        sequence INTEGER PRIMARY KEY AUTOINCREMENT,
        name TEXT NOT NULL UNIQUE,
        owner TEXT NOT NULL,
        midcoder TEXT NOT NULL,
        descriptor BLOB NOT NULL,
        create_time INTEGER NOT NULL
      ) STRICT;
      CREATE INDEX snapshots_by_midcoder ON snapshots (midcoder, sequence);

      ALTER TABLE midcoders ADD COLUMN job_result INTEGER NOT NULL DEFAULT 0;
      ALTER TABLE midcoders ADD COLUMN request_id TEXT NOT NULL DEFAULT '';
      ALTER TABLE midcoders ADD COLUMN request_hash TEXT NOT NULL DEFAULT '';
      DROP INDEX midcoders_by_job;
      CREATE UNIQUE INDEX midcoders_by_job ON midcoders (job, layer, job_result) WHERE job <> '';
      CREATE UNIQUE INDEX midcoders_by_request ON midcoders (owner, request_id) WHERE request_id <> '';
    )sql",
    R"sql(
      ALTER TABLE snapshots ADD COLUMN job TEXT NOT NULL DEFAULT '';
      ALTER TABLE snapshots ADD COLUMN job_moment TEXT NOT NULL DEFAULT '';
      CREATE INDEX snapshots_by_job ON snapshots (job, sequence);
      CREATE UNIQUE INDEX snapshots_by_job_moment ON snapshots (job, job_moment) WHERE job_moment <> '';

      ALTER TABLE jobs ADD COLUMN keeps_files INTEGER NOT NULL DEFAULT 0;
      ALTER TABLE jobs ADD COLUMN is_question INTEGER NOT NULL DEFAULT 0;
    )sql",
    R"sql(
      CREATE TABLE factorizations (
        sequence INTEGER PRIMARY KEY AUTOINCREMENT,
        name TEXT NOT NULL UNIQUE,
        owner TEXT NOT NULL,
        job TEXT NOT NULL,
        request_id TEXT NOT NULL,
        request_hash TEXT NOT NULL,
        descriptor BLOB NOT NULL,
        create_time INTEGER NOT NULL
      ) STRICT;
      CREATE UNIQUE INDEX factorizations_by_job ON factorizations (job) WHERE job <> '';
      CREATE UNIQUE INDEX factorizations_by_request ON factorizations (owner, request_id) WHERE request_id <> '';
    )sql",
};

absl::Status Execute(sqlite3* connection, const std::string& sql) {
  const int code = sqlite3_exec(connection, sql.c_str(), nullptr, nullptr, nullptr);
  return code == SQLITE_OK ? absl::OkStatus() : SqlError(connection, code);
}

absl::StatusOr<int64_t> VersionOf(sqlite3* connection) {
  Statement version(connection, "PRAGMA user_version");
  SUPERPOSE_RETURN_IF_ERROR(version.Step().status());
  return version.Int(0);
}

}  // namespace

absl::Span<const char* const> SchemaMigrations() { return kMigrations; }

absl::Status Migrate(sqlite3* connection, absl::Span<const char* const> migrations) {
  SUPERPOSE_ASSIGN_OR_RETURN(const int64_t version, VersionOf(connection));
  if (version < 0 || static_cast<size_t>(version) > migrations.size()) {
    return FailedPrecondition(reason::kDatabaseTooNew, sqlite3_db_filename(connection, "main"), " has schema version ",
                              version, ", and this server knows versions up to ", migrations.size(),
                              ": use the newer server that wrote it");
  }
  for (size_t next = static_cast<size_t>(version); next < migrations.size(); ++next) {
    SUPERPOSE_RETURN_IF_ERROR(Execute(connection, migrations[next]));
    SUPERPOSE_RETURN_IF_ERROR(Execute(connection, absl::StrCat("PRAGMA user_version = ", next + 1)));
  }
  return absl::OkStatus();
}

}  // namespace superpose
