#include "server/jobs/database.h"

#include <filesystem>
#include <new>
#include <vector>

#include "lib/base/error.h"
#include "server/jobs/schema.h"
#include "server/jobs/statement.h"
#include "server/runtime/reasons.h"
#include "tests/server/jobs/temporary_folder.h"
#include "tests/status_matchers.h"

namespace superpose {
namespace {

constexpr char kInsert[] =
    "INSERT INTO midcoders (name, owner, job, layer, descriptor, create_time) VALUES (?, 'ada', '', 0, x'', 0)";

class DatabaseTest : public testing::Test {
 protected:
  std::unique_ptr<Database> Open() {
    absl::StatusOr<std::unique_ptr<Database>> database = Database::Open(path_);
    EXPECT_OK(database);
    return database.ok() ? *std::move(database) : nullptr;
  }
  absl::Status Run(Database* database, const std::string& sql) {
    return database->Transact([&](sqlite3* connection) { return Statement(connection, sql).Run(); });
  }
  // The first column of the first row.
  std::string Ask(Database* database, const std::string& sql) {
    const absl::StatusOr<std::string> answer =
        database->Transact([&](sqlite3* connection) -> absl::StatusOr<std::string> {
          Statement select(connection, sql);
          const absl::StatusOr<bool> found = select.Step();
          if (!found.ok()) return found.status();
          return *found ? select.Text(0) : "no row";
        });
    return answer.ok() ? *answer : answer.status().ToString();
  }

  TemporaryFolder folder_;
  const std::string path_ = folder_ / "superpose.db";
};

TEST_F(DatabaseTest, ANewFileIsDurableAndUpToDate) {
  const auto database = Open();
  EXPECT_EQ(Ask(database.get(), "PRAGMA journal_mode"), "wal");
  EXPECT_EQ(Ask(database.get(), "PRAGMA synchronous"), "2");  // FULL
  EXPECT_EQ(Ask(database.get(), "PRAGMA foreign_keys"), "1");
  EXPECT_EQ(Ask(database.get(), "PRAGMA user_version"), absl::StrCat(SchemaMigrations().size()));
  EXPECT_EQ(Ask(database.get(), "SELECT COUNT(*) FROM jobs"), "0");
  for (const char* table : {"midcoders", "snapshots", "factorizations"}) {
    EXPECT_EQ(Ask(database.get(), absl::StrCat("SELECT COUNT(*) FROM ", table)), "0");
  }
}

TEST_F(DatabaseTest, ADatabaseOfAnyEarlierVersionIsBroughtUpToDateAndKeepsItsRows) {
  for (size_t version = 1; version < SchemaMigrations().size(); ++version) {
    std::filesystem::remove(path_);
    sqlite3* old = nullptr;
    ASSERT_EQ(sqlite3_open(path_.c_str(), &old), SQLITE_OK);
    EXPECT_OK(Migrate(old, SchemaMigrations().first(version)));
    EXPECT_OK(Statement(old, kInsert, "midcoders/old").Run());
    ASSERT_EQ(sqlite3_close(old), SQLITE_OK);
    const auto database = Open();
    EXPECT_EQ(Ask(database.get(), "PRAGMA user_version"), absl::StrCat(SchemaMigrations().size()));
    EXPECT_EQ(Ask(database.get(), "SELECT name FROM midcoders"), "midcoders/old");
    EXPECT_EQ(Ask(database.get(), "SELECT COUNT(*) FROM factorizations"), "0");
  }
}

TEST_F(DatabaseTest, AJobAndARequestMakeOneFactorization) {
  const auto database = Open();
  const auto insert = [&](const char* name, const char* owner, const char* job, const char* request) {
    return database->Transact([&](sqlite3* connection) {
      return Statement(connection,
                       "INSERT INTO factorizations (name, owner, job, request_id, request_hash, descriptor, "
                       "create_time) VALUES (?, ?, ?, ?, '', x'', 0)",
                       name, owner, job, request)
          .Run();
    });
  };
  EXPECT_OK(insert("a", "ada", "jobs/1", ""));
  EXPECT_OK(insert("b", "ada", "", "r"));
  EXPECT_OK(insert("c", "bob", "", "r"));
  EXPECT_OK(insert("d", "ada", "", ""));
  EXPECT_OK(insert("e", "ada", "", ""));
  EXPECT_FALSE(insert("f", "ada", "jobs/1", "").ok());
  EXPECT_FALSE(insert("g", "ada", "", "r").ok());
}

TEST_F(DatabaseTest, ABodyThatThrowsLeavesNothingBehindAndTheNextOneRuns) {
  const auto database = Open();
  const auto throws = [](sqlite3* connection) -> absl::Status {
    Statement insert(connection, kInsert, "midcoders/a");
    EXPECT_OK(insert.Run());
    throw std::bad_alloc();
  };
  EXPECT_THROW(database->Transact(throws).IgnoreError(), std::bad_alloc);
  EXPECT_EQ(Ask(database.get(), "SELECT COUNT(*) FROM midcoders"), "0");
}

TEST_F(DatabaseTest, WhatATransactionWroteIsThereAfterwards) {
  ASSERT_OK(Run(Open().get(),
                "INSERT INTO midcoders (name, owner, job, layer, descriptor, create_time) "
                "VALUES ('midcoders/a', 'ada', '', 0, x'', 0)"));
  EXPECT_EQ(Ask(Open().get(), "SELECT name FROM midcoders"), "midcoders/a");
}

TEST_F(DatabaseTest, ATransactionThatFailsLeavesNothing) {
  const auto database = Open();
  const absl::Status status = database->Transact([](sqlite3* connection) -> absl::Status {
    EXPECT_OK(Statement(connection, kInsert, "midcoders/a").Run());
    return absl::CancelledError("changed my mind");
  });
  EXPECT_EQ(status, absl::CancelledError("changed my mind"));
  EXPECT_EQ(Ask(database.get(), "SELECT COUNT(*) FROM midcoders"), "0");
  EXPECT_OK(Run(database.get(), "DELETE FROM midcoders"));  // and the next one works
}

TEST_F(DatabaseTest, ATransactionGivesItsValueOrItsError) {
  const auto database = Open();
  const absl::StatusOr<int> value = database->Transact([](sqlite3*) -> absl::StatusOr<int> { return 7; });
  ASSERT_OK(value);
  EXPECT_EQ(*value, 7);
  const absl::StatusOr<int> error =
      database->Transact([](sqlite3*) -> absl::StatusOr<int> { return absl::NotFoundError("none"); });
  EXPECT_EQ(error.status(), absl::NotFoundError("none"));
}

TEST_F(DatabaseTest, SqlThatIsWrongIsAFailureOfTheStorage) {
  const auto database = Open();
  const auto failed = IsError(absl::StatusCode::kInternal, reason::kStorageFailed);
  EXPECT_THAT(Run(database.get(), "SELEKT"), failed);
  EXPECT_THAT(Run(database.get(), "INSERT INTO nowhere VALUES (1)"), failed);
  ASSERT_OK(database->Transact([](sqlite3* connection) { return Statement(connection, kInsert, "a").Run(); }));
  EXPECT_THAT(database->Transact([](sqlite3* connection) { return Statement(connection, kInsert, "a").Run(); }),
              failed);
}

TEST_F(DatabaseTest, ValuesComeBackAsTheyWereBound) {
  const auto database = Open();
  const std::string bytes("\0\xff'x\0", 5);
  ASSERT_OK(database->Transact([&](sqlite3* connection) -> absl::Status {
    Statement select(connection, "SELECT ?, ?, ?, ?, ?, NULL, typeof(?)", int64_t{-9'000'000'000'000'000'000}, true,
                     bytes, SqlBlob{bytes}, absl::string_view(), SqlBlob{});
    EXPECT_TRUE(*select.Step());
    EXPECT_EQ(select.Int(0), -9'000'000'000'000'000'000);
    EXPECT_EQ(select.Int(1), 1);
    EXPECT_EQ(select.Text(2), bytes);
    EXPECT_EQ(select.Text(3), bytes);
    EXPECT_FALSE(select.IsNull(4));
    EXPECT_TRUE(select.IsNull(5));
    EXPECT_EQ(select.Text(5), "");
    EXPECT_EQ(select.Text(6), "blob");
    EXPECT_FALSE(*select.Step());
    return absl::OkStatus();
  }));
}

TEST_F(DatabaseTest, MoreValuesThanPlacesIsAnError) {
  const auto database = Open();
  EXPECT_THAT(database->Transact([](sqlite3* connection) { return Statement(connection, "SELECT ?", 1, 2).Run(); }),
              IsError(absl::StatusCode::kInternal, reason::kStorageFailed));
}

TEST_F(DatabaseTest, AFullDiskRefusesAndRecovers) {
  const auto database = Open();
  ASSERT_OK(Run(database.get(), absl::StrCat("PRAGMA max_page_count = ", Ask(database.get(), "PRAGMA page_count"))));
  const absl::Status status = database->Transact(
      [](sqlite3* connection) { return Statement(connection, kInsert, std::string(1 << 20, 'x')).Run(); });
  EXPECT_THAT(status, IsError(absl::StatusCode::kResourceExhausted, reason::kStorageFull));
  EXPECT_THAT(status, MessageHas(path_));
  ASSERT_OK(Run(database.get(), "PRAGMA max_page_count = 1000000"));
  EXPECT_OK(database->Transact([](sqlite3* connection) { return Statement(connection, kInsert, "x").Run(); }));
}

TEST_F(DatabaseTest, AFileThatMayNotBeWrittenIsRefused) {
  Open();
  MakeReadOnly(path_);
  MakeReadOnly(folder_.path());
  {
    WithoutPrivileges nobody;
    EXPECT_THAT(Database::Open(path_), IsError(absl::StatusCode::kFailedPrecondition, reason::kStorageReadOnly));
    EXPECT_THAT(Database::Open(folder_ / "new.db"),
                IsError(absl::StatusCode::kFailedPrecondition, reason::kStorageReadOnly));
  }
  MakeWritable(folder_.path());
}

TEST_F(DatabaseTest, AFolderThatIsNotThereIsRefused) {
  EXPECT_THAT(Database::Open(folder_ / "none/superpose.db"),
              IsError(absl::StatusCode::kFailedPrecondition, reason::kStorageReadOnly));
}

TEST_F(DatabaseTest, AFileThatIsNoDatabaseIsRefusedAndKept) {
  const std::string text = "These are somebody's notes, and no database at all.\n" + std::string(5000, 'x');
  WriteFile(path_, text);
  const auto opened = Database::Open(path_);
  EXPECT_THAT(opened, IsError(absl::StatusCode::kDataLoss, reason::kFileCorrupt));
  EXPECT_THAT(opened, MessageHas(path_));
  EXPECT_EQ(FileContent(path_), text);
}

TEST_F(DatabaseTest, ADatabaseWithADamagedPageIsRefused) {
  Open();
  std::string content = FileContent(path_);
  ASSERT_GT(content.size(), 4096);
  std::fill(content.begin() + 100, content.begin() + 4096, '\xee');  // the schema; the file's header stays
  WriteFile(path_, content);
  EXPECT_THAT(Database::Open(path_), IsError(absl::StatusCode::kDataLoss, reason::kFileCorrupt));
}

TEST_F(DatabaseTest, ADatabaseOfANewerServerIsRefused) {
  ASSERT_OK(Run(Open().get(), "PRAGMA user_version = 99"));
  const auto opened = Database::Open(path_);
  EXPECT_THAT(opened, IsError(absl::StatusCode::kFailedPrecondition, reason::kDatabaseTooNew));
  EXPECT_THAT(opened, MessageHas(path_));
  EXPECT_THAT(opened, MessageHas("99"));
}

TEST_F(DatabaseTest, MigrationsRunOnceAndInOrder) {
  const auto database = Open();
  std::vector<const char*> migrations(SchemaMigrations().begin(), SchemaMigrations().end());
  migrations.push_back("CREATE TABLE extra (value INTEGER); INSERT INTO extra VALUES (1)");
  migrations.push_back("UPDATE extra SET value = value + 10");
  for (int i = 0; i < 2; ++i) {
    ASSERT_OK(database->Transact([&](sqlite3* connection) { return Migrate(connection, migrations); }));
    EXPECT_EQ(Ask(database.get(), "SELECT value FROM extra"), "11");
    EXPECT_EQ(Ask(database.get(), "PRAGMA user_version"), absl::StrCat(migrations.size()));
  }
}

TEST_F(DatabaseTest, AMigrationThatFailsLeavesTheVersionBeforeIt) {
  const auto database = Open();
  std::vector<const char*> migrations(SchemaMigrations().begin(), SchemaMigrations().end());
  migrations.push_back("CREATE TABLE extra (value INTEGER)");
  migrations.push_back("CREATE TABLE half (value INTEGER); UPDATE nowhere SET value = 1");
  EXPECT_FALSE(database->Transact([&](sqlite3* connection) { return Migrate(connection, migrations); }).ok());
  EXPECT_EQ(Ask(database.get(), "PRAGMA user_version"), absl::StrCat(SchemaMigrations().size()));
  EXPECT_EQ(Ask(database.get(), "SELECT name FROM sqlite_master WHERE name IN ('extra', 'half')"), "no row");
}

TEST_F(DatabaseTest, AnEmptyFileIsANewDatabase) {
  WriteFile(path_, "");
  EXPECT_EQ(Ask(Open().get(), "SELECT COUNT(*) FROM jobs"), "0");
}

TEST_F(DatabaseTest, TwoConnectionsSeeEachOthersRows) {
  const auto one = Open();
  const auto two = Open();
  ASSERT_OK(one->Transact([](sqlite3* connection) { return Statement(connection, kInsert, "a").Run(); }));
  ASSERT_OK(two->Transact([](sqlite3* connection) { return Statement(connection, kInsert, "b").Run(); }));
  EXPECT_EQ(Ask(one.get(), "SELECT group_concat(name) FROM midcoders"), "a,b");
}

}  // namespace
}  // namespace superpose
