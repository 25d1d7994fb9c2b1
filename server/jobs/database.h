#pragma once

#include <sqlite3.h>

#include <functional>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "lib/base/mutex.h"

namespace superpose {

// A connection to the server's SQLite file: WAL, foreign keys, synchronous=FULL, every transaction BEGIN IMMEDIATE. The
// server has one. Thread-safe: one transaction at a time; blocks on disk.
class Database {
 public:
  // Makes the file where there is none, and brings the schema up to date (schema.h). Errors: DATABASE_TOO_NEW, and
  // those of SqlError (storage_error.h): FILE_CORRUPT when it is no database, STORAGE_READ_ONLY, ..
  static absl::StatusOr<std::unique_ptr<Database>> Open(const std::string& path);
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  // Runs body(connection), which returns absl::Status or absl::StatusOr<T>, as one transaction: committed when the
  // result is OK, else, or when it throws, rolled back. Returns the body's result, or why it could not be committed.
  template <typename Body>
  auto Transact(Body&& body) -> std::invoke_result_t<Body, sqlite3*> {
    using Result = std::invoke_result_t<Body, sqlite3*>;
    if constexpr (std::is_same_v<Result, absl::Status>) {
      return Run(std::forward<Body>(body));
    } else {
      Result result = absl::UnknownError("not run");
      absl::Status status = Run([&](sqlite3* connection) {
        result = body(connection);
        return result.status();
      });
      if (!status.ok()) return status;
      return result;
    }
  }

 private:
  explicit Database(sqlite3* connection) : connection_(connection) {}
  absl::Status Configure();
  absl::Status Run(const std::function<absl::Status(sqlite3* connection)>& body);

  Mutex mutex_;
  sqlite3* const connection_ ABSL_PT_GUARDED_BY(mutex_);
};

}  // namespace superpose
