#pragma once

#include <sqlite3.h>

#include "absl/status/status.h"
#include "absl/types/span.h"

namespace superpose {

// The SQL that takes a database from version i to i + 1, for every version until this program's. Entries that were
// released never change; new ones are added at the end.
absl::Span<const char* const> SchemaMigrations();

// Runs the migrations that the database, by its PRAGMA user_version, has not seen; inside the caller's transaction.
// FAILED_PRECONDITION / DATABASE_TOO_NEW when it has seen more than there are.
absl::Status Migrate(sqlite3* connection, absl::Span<const char* const> migrations);

}  // namespace superpose
