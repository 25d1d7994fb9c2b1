// The implementations of JobStore that the suites run on.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "server/jobs/database.h"
#include "server/jobs/job_store.h"
#include "server/jobs/sqlite_job_store.h"
#include "tests/server/jobs/temporary_folder.h"

namespace superpose {

// Where jobs lie: all stores that are connected to it, one after the other or at the same time, see the same ones.
class JobStorage {
 public:
  virtual ~JobStorage() = default;
  virtual std::shared_ptr<JobStore> Connect() = 0;
};

struct JobStoreBackend {
  std::string name;
  std::function<std::unique_ptr<JobStorage>()> make_storage;
};

class SqliteStorage final : public JobStorage {
 public:
  std::shared_ptr<JobStore> Connect() override {
    struct Connection {
      std::unique_ptr<Database> database;
      SqliteJobStore store;
    };
    auto database = Database::Open(folder_ / "superpose.db");
    EXPECT_TRUE(database.ok()) << database.status();
    Database* opened = database->get();
    auto connection = std::make_shared<Connection>(*std::move(database), SqliteJobStore(opened));
    return {connection, &connection->store};
  }

 private:
  TemporaryFolder folder_;
};

inline std::vector<JobStoreBackend> JobStoreBackends() {
  return {{"Sqlite", [] { return std::make_unique<SqliteStorage>(); }}};
}

inline std::string BackendName(const testing::TestParamInfo<JobStoreBackend>& info) { return info.param.name; }

}  // namespace superpose
