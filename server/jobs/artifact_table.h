#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "server/jobs/database.h"
#include "server/jobs/newest_first.h"
#include "server/jobs/statement.h"
#include "server/runtime/reasons.h"

namespace superpose {

// The call that made an artifact, so that the same call made again makes no second one.
struct ArtifactRequest {
  std::string id;    // of its caller's choice; empty: none
  std::string hash;  // of what was asked for
};

template <typename Message>
struct ArtifactPage {
  std::vector<Message> items;
  std::string next_page_token;  // empty at the end
};

// The rows of one kind of artifact, each with a sequence, a name and a descriptor: its serialized message. Thread-safe;
// blocks on disk. Errors beside those named: STORAGE_FULL, STORAGE_READ_ONLY, STORAGE_FAILED.
template <typename Message>
class ArtifactTable {
 public:
  struct Kind {
    const char* table;  // also the collection in resource names: "midcoders"
    const char* one;    // "midcoder"
    absl::string_view not_found;
  };
  ArtifactTable(Database* database, Kind kind) : database_(database), kind_(kind) {}

  // INVALID_ARGUMENT / NAME_INVALID unless it is "{table}/{id}".
  absl::Status CheckName(const std::string& name) const {
    absl::string_view id = name;
    const bool right = absl::ConsumePrefix(&id, kind_.table) && absl::ConsumePrefix(&id, "/") && !id.empty() &&
                       !absl::StrContains(id, '/');
    if (right) return absl::OkStatus();
    return InvalidArgument(reason::kNameInvalid, "\"", name, "\" must be ", kind_.table, "/{", kind_.one, "}");
  }

  // NAME_INVALID; NOT_FOUND with the kind's reason.
  absl::StatusOr<Message> Get(const std::string& name) const {
    SUPERPOSE_RETURN_IF_ERROR(CheckName(name));
    return database_->Transact([&](sqlite3* connection) -> absl::StatusOr<Message> {
      Statement select(connection, absl::StrCat("SELECT descriptor FROM ", kind_.table, " WHERE name = ?"), name);
      SUPERPOSE_ASSIGN_OR_RETURN(const bool found, select.Step());
      if (!found) return NoSuch(name);
      return Read(select);
    });
  }

  // Newest first, at most kMostPageBytes; only rows whose `column` has that value, if one is named. INVALID_ARGUMENT /
  // PAGE_TOKEN_INVALID.
  absl::StatusOr<ArtifactPage<Message>> List(int64_t page_size, const std::string& page_token,
                                             const std::string& column = "", const std::string& value = "") const {
    SUPERPOSE_ASSIGN_OR_RETURN(const int64_t before, SequenceBefore(page_token));
    const int64_t size = BoundedPageSize(page_size);
    const std::string sql = absl::StrCat("SELECT descriptor, sequence FROM ", kind_.table, " WHERE sequence < ? AND ",
                                         column.empty() ? "''" : column, " = ? ORDER BY sequence DESC LIMIT ?");
    return database_->Transact([&](sqlite3* connection) -> absl::StatusOr<ArtifactPage<Message>> {
      Statement select(connection, sql, before, value, size + 1);
      ArtifactPage<Message> page;
      int64_t last = 0, bytes = 0;
      while (true) {
        SUPERPOSE_ASSIGN_OR_RETURN(const bool more, select.Step());
        if (!more) return page;
        SUPERPOSE_ASSIGN_OR_RETURN(Message item, Read(select));
        const auto item_bytes = static_cast<int64_t>(item.ByteSizeLong());
        if (PageIsFull(page.items.size(), size, bytes, item_bytes)) break;
        bytes += item_bytes;
        page.items.push_back(std::move(item));
        last = select.Int(1);
      }
      page.next_page_token = absl::StrCat(last);
      return page;
    });
  }

  // The row that `condition`, SQL with these values in it, holds for; nothing without one.
  template <typename... Values>
  absl::StatusOr<std::optional<Message>> Find(absl::string_view condition, const Values&... values) const {
    using Found = absl::StatusOr<std::optional<Message>>;
    return database_->Transact([&](sqlite3* connection) -> Found {
      Statement select(connection, absl::StrCat("SELECT descriptor FROM ", kind_.table, " WHERE ", condition),
                       values...);
      SUPERPOSE_ASSIGN_OR_RETURN(const bool found, select.Step());
      if (!found) return std::nullopt;
      return Read(select);
    });
  }

  // Of a table that has an owner, a request_id and a request_hash: what this owner's request made before; nothing when
  // it made nothing or has no id. ALREADY_EXISTS / REQUEST_ID_REUSED when another request had the id.
  absl::StatusOr<std::optional<Message>> MadeByRequest(const std::string& owner, const ArtifactRequest& request) const {
    using Found = absl::StatusOr<std::optional<Message>>;
    if (request.id.empty()) return std::nullopt;
    const std::string sql =
        absl::StrCat("SELECT descriptor, request_hash FROM ", kind_.table, " WHERE owner = ? AND request_id = ?");
    return database_->Transact([&](sqlite3* connection) -> Found {
      Statement select(connection, sql, owner, request.id);
      SUPERPOSE_ASSIGN_OR_RETURN(const bool found, select.Step());
      if (!found) return std::nullopt;
      if (select.Text(1) == request.hash) return Read(select);
      return Error(absl::StatusCode::kAlreadyExists, reason::kRequestIdReused,
                   absl::StrCat("request id \"", request.id, "\" was used for another import: take a new one"));
    });
  }

  // NAME_INVALID; NOT_FOUND with the kind's reason.
  absl::Status Delete(const std::string& name) const {
    SUPERPOSE_RETURN_IF_ERROR(CheckName(name));
    return database_->Transact([&](sqlite3* connection) -> absl::Status {
      const std::string sql = absl::StrCat("DELETE FROM ", kind_.table, " WHERE name = ?");
      SUPERPOSE_RETURN_IF_ERROR(Statement(connection, sql, name).Run());
      return sqlite3_changes(connection) > 0 ? absl::OkStatus() : NoSuch(name);
    });
  }

  // From column 0, the descriptor. DATA_LOSS / FILE_CORRUPT.
  absl::StatusOr<Message> Read(const Statement& row) const {
    Message message;
    if (message.ParseFromString(row.Text(0))) return message;
    return Error(absl::StatusCode::kDataLoss, reason::kFileCorrupt,
                 absl::StrCat("a ", kind_.one, "'s row in the database cannot be read"));
  }

 private:
  absl::Status NoSuch(const std::string& name) const {
    return NotFound(kind_.not_found, "there is no ", kind_.one, " \"", name, "\"");
  }

  Database* const database_;
  const Kind kind_;
};

}  // namespace superpose
