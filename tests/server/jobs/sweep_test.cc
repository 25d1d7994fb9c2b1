#include "server/jobs/sweep.h"

#include <filesystem>

#include "lib/base/error.h"
#include "server/jobs/sqlite_job_store.h"
#include "server/jobs/statement.h"
#include "tests/server/jobs/temporary_folder.h"
#include "tests/status_matchers.h"

namespace superpose {
namespace {

namespace fs = std::filesystem;

class SweepTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_OK_AND_ASSIGN(folder_, DataFolder::Open(parent_ / "data"));
    ASSERT_OK_AND_ASSIGN(database_, Database::Open(folder_->database_path()));
  }
  std::string SubmitJob() {
    absl::StatusOr<v1::Job> job = SqliteJobStore(database_.get()).Submit(v1::Job(), v1::Job(), absl::UnixEpoch());
    EXPECT_OK(job);
    return job.ok() ? job->name() : "";
  }
  void KeepMidcoder(const std::string& name) {
    EXPECT_OK(database_->Transact([&](sqlite3* connection) {
      return Statement(connection,
                       "INSERT INTO midcoders (name, owner, job, layer, descriptor, create_time) VALUES (?, '', '', 0, "
                       "x'', 0)",
                       name)
          .Run();
    }));
  }
  std::string In(const std::string& resource) const { return folder_->FolderOf(resource); }
  absl::Status Sweep() { return superpose::Sweep(*folder_, database_.get()); }

  TemporaryFolder parent_;
  std::unique_ptr<DataFolder> folder_;
  std::unique_ptr<Database> database_;
};

TEST_F(SweepTest, AnEmptyFolderIsSwept) {
  EXPECT_OK(Sweep());
  EXPECT_TRUE(fs::exists(folder_->database_path()));
}

TEST_F(SweepTest, FoldersThatARowNamesStay) {
  const std::string job = SubmitJob();
  KeepMidcoder("midcoders/kept");
  WriteFile(In(job) + "/checkpoint.safetensors", "tensors");
  WriteFile(In("midcoders/kept/weights.safetensors"), "weights");
  ASSERT_OK(Sweep());
  EXPECT_EQ(FileContent(In(job) + "/checkpoint.safetensors"), "tensors");
  EXPECT_EQ(FileContent(In("midcoders/kept/weights.safetensors")), "weights");
}

TEST_F(SweepTest, FoldersThatNoRowNamesGo) {
  const std::string job = SubmitJob();
  KeepMidcoder("midcoders/kept");
  WriteFile(In("jobs/gone/deep/checkpoint.safetensors"), "tensors");
  WriteFile(In("midcoders/gone/weights.safetensors"), "weights");
  // The other table's row keeps nothing.
  WriteFile(In("jobs/kept/x"), "x");
  WriteFile(In("midcoders/" + job.substr(5) + "/x"), "x");
  ASSERT_OK(Sweep());
  EXPECT_TRUE(fs::is_empty(In("jobs")));
  EXPECT_TRUE(fs::is_empty(In("midcoders")));
}

TEST_F(SweepTest, CheckpointsOfJobsThatWillNotGoOnAreRemoved) {
  SqliteJobStore store(database_.get());
  const auto end_in = [&](v1::JobState state) {
    const std::string name = SubmitJob();
    auto claim = store.Claim(name, "worker", absl::UnixEpoch(), absl::Seconds(60));
    EXPECT_OK(claim);
    EXPECT_OK(store.Finish(**claim, {.state = state, .result = {}}, absl::UnixEpoch()));
    WriteFile(In(name) + "/checkpoint", "tensors");
    return name;
  };
  const std::string succeeded = end_in(v1::JOB_STATE_SUCCEEDED);
  const std::string failed = end_in(v1::JOB_STATE_FAILED);
  const std::string cancelled = end_in(v1::JOB_STATE_CANCELLED);
  const std::string running = SubmitJob();
  ASSERT_OK(store.Claim(running, "worker", absl::UnixEpoch(), absl::Seconds(60)));
  WriteFile(In(running) + "/checkpoint", "tensors");
  ASSERT_OK(Sweep());
  EXPECT_FALSE(fs::exists(In(succeeded)));
  EXPECT_TRUE(fs::exists(In(failed) + "/checkpoint"));
  EXPECT_FALSE(fs::exists(In(cancelled)));
  EXPECT_TRUE(fs::exists(In(running) + "/checkpoint"));
}

TEST_F(SweepTest, TemporaryFilesGoAndTheirNeighboursStay) {
  const std::string job = SubmitJob();
  for (const std::string& name :
       {folder_->path() + "/superpose.db.1.2.tmp", In("jobs/a.tmp"), In(job) + "/checkpoint.12.0.tmp"}) {
    WriteFile(name, "half");
  }
  WriteFile(In(job) + "/tmp", "whole");
  WriteFile(In("jobs/README"), "somebody's notes");
  ASSERT_OK(Sweep());
  EXPECT_FALSE(fs::exists(folder_->path() + "/superpose.db.1.2.tmp"));
  EXPECT_FALSE(fs::exists(In("jobs/a.tmp")));
  EXPECT_FALSE(fs::exists(In(job) + "/checkpoint.12.0.tmp"));
  EXPECT_TRUE(fs::exists(In(job) + "/tmp"));
  EXPECT_TRUE(fs::exists(In("jobs/README")));
}

TEST_F(SweepTest, ANewDatabaseInThePlaceOfALostOneRemovesNothing) {
  WriteFile(In("midcoders/precious/weights.safetensors"), "weights");
  const absl::Status status = Sweep();
  EXPECT_THAT(status, IsError(absl::StatusCode::kFailedPrecondition, reason::kFileNotFound));
  EXPECT_THAT(status, MessageHas(In("midcoders/precious")));
  EXPECT_THAT(status, MessageHas(folder_->database_path()));
  EXPECT_EQ(FileContent(In("midcoders/precious/weights.safetensors")), "weights");
}

TEST_F(SweepTest, ADatabaseThatLostItsLastRowIsStillTheirs) {
  SqliteJobStore store(database_.get());
  const std::string job = SubmitJob();
  ASSERT_OK(store.Cancel(job, absl::UnixEpoch()));
  ASSERT_OK(store.Delete(job));
  WriteFile(In(job) + "/history.bin", "rows");
  ASSERT_OK(Sweep());
  EXPECT_TRUE(fs::is_empty(In("jobs")));
}

TEST_F(SweepTest, LinksAreNotFollowed) {
  SubmitJob();
  WriteFile(parent_ / "elsewhere/file", "content");
  WriteFile(parent_ / "elsewhere/file.tmp", "content");
  fs::create_directory(In("jobs/gone"));
  fs::create_directory_symlink(parent_ / "elsewhere", In("jobs/gone/link"));
  fs::create_directory_symlink(parent_ / "elsewhere", In("jobs/link"));
  ASSERT_OK(Sweep());
  EXPECT_FALSE(fs::exists(In("jobs/gone")));
  EXPECT_EQ(FileContent(parent_ / "elsewhere/file"), "content");
  EXPECT_EQ(FileContent(parent_ / "elsewhere/file.tmp"), "content");
}

}  // namespace
}  // namespace superpose
