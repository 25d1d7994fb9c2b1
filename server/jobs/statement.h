#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <string>
#include <type_traits>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace superpose {

// Bytes to bind as a BLOB; other strings are bound as TEXT.
struct SqlBlob {
  absl::string_view bytes;
};

// One SQL statement with its values:
//   Statement select(connection, "SELECT state FROM jobs WHERE owner = ? AND sequence < ?", owner, sequence);
//   SUPERPOSE_ASSIGN_OR_RETURN(bool found, select.Step());
//   int64_t state = select.Int(0);
// What goes wrong in the constructor is told by Step() and Run().
class Statement {
 public:
  Statement(sqlite3* connection, absl::string_view sql);
  template <typename... Values>
  Statement(sqlite3* connection, absl::string_view sql, const Values&... values) : Statement(connection, sql) {
    int index = 0;
    (BindValue(++index, values), ...);
  }
  ~Statement();
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;

  // Goes to the next row; false when there is none. Errors: those of SqlError.
  absl::StatusOr<bool> Step();
  // Goes to the end, for statements without rows.
  absl::Status Run();

  // Columns of the row, from 0; NULL reads as 0 or "".
  int64_t Int(int column) const { return sqlite3_column_int64(statement_, column); }
  std::string Text(int column) const;
  bool IsNull(int column) const { return sqlite3_column_type(statement_, column) == SQLITE_NULL; }

 private:
  template <typename Value>
  void BindValue(int index, const Value& value) {
    if constexpr (std::is_integral_v<Value> || std::is_enum_v<Value>) {
      Note(sqlite3_bind_int64(statement_, index, static_cast<int64_t>(value)));
    } else if constexpr (std::is_same_v<Value, SqlBlob>) {
      Note(sqlite3_bind_blob64(statement_, index, NotNull(value.bytes), value.bytes.size(), SQLITE_TRANSIENT));
    } else {
      const absl::string_view text = value;
      Note(sqlite3_bind_text64(statement_, index, NotNull(text), text.size(), SQLITE_TRANSIENT, SQLITE_UTF8));
    }
  }
  // SQLite takes a null pointer for NULL, also where the length is 0.
  static const char* NotNull(absl::string_view bytes) { return bytes.data() == nullptr ? "" : bytes.data(); }
  void Note(int code) {
    if (code_ == SQLITE_OK) code_ = code;
  }

  sqlite3* const connection_;
  sqlite3_stmt* statement_ = nullptr;
  int code_ = SQLITE_OK;  // the first failure
};

}  // namespace superpose
