// A watch whose reader does not read: what it costs the server and the job, and what the reader finds afterwards.
#include "server/services/job_watch.h"

#include <grpcpp/create_channel.h>
#include <grpcpp/server_builder.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "server/jobs/job_watchers.h"
#include "server/services/job_service.h"

namespace superpose {
namespace {

constexpr char kName[] = "jobs/watched";
constexpr int kUpdates = 1000;
constexpr size_t kUpdateBytes = size_t{64} << 10;  // about what the connection takes before it waits for its reader

v1::Job JobAt(int step, v1::JobState state = v1::JOB_STATE_RUNNING) {
  v1::Job job;
  job.set_name(kName);
  job.set_state(state);
  job.mutable_progress()->set_done(step);
  job.mutable_progress()->set_unit(std::string(kUpdateBytes, 'x'));
  return job;
}

// Has one job, which is as the test tells.
class ToldManager final : public JobManager {
 public:
  void Tell(const v1::Job& job) { watchers_.Notify(job); }

  absl::StatusOr<v1::Job> Get(const std::string& /*name*/) override { return JobAt(0); }
  std::unique_ptr<JobSubscription> Watch(const std::string& name,
                                         std::function<void(const v1::Job& job)> listener) override {
    return watchers_.Add(name, std::move(listener));
  }
  absl::StatusOr<v1::Job> Submit(const v1::Job&, const Resolve&) override { return absl::UnimplementedError(""); }
  absl::StatusOr<JobPage> List(const JobFilter&, int64_t, const std::string&) override { return JobPage(); }
  absl::StatusOr<v1::Job> Cancel(const std::string&) override { return absl::UnimplementedError(""); }
  absl::Status Delete(const std::string&) override { return absl::UnimplementedError(""); }
  void TakeSnapshots(const std::string&, SnapshotRequest request) override {
    request.done(absl::UnimplementedError(""));
  }
  void Stop(absl::Time) override {}

 private:
  JobWatchers watchers_;
};

class JobWatchTest : public testing::Test {
 protected:
  void SetUp() override {
    grpc::ServerBuilder builder;
    int port = 0;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
    builder.RegisterService(&service_);
    server_ = builder.BuildAndStart();
    ASSERT_NE(server_, nullptr);
    stub_ = v1::JobService::NewStub(
        grpc::CreateChannel(absl::StrCat("127.0.0.1:", port), grpc::InsecureChannelCredentials()));
    v1::WatchJobRequest request;
    request.set_name(kName);
    reader_ = stub_->WatchJob(&context_, request);
    v1::WatchJobResponse response;
    ASSERT_TRUE(reader_->Read(&response));  // from here on the server tells what changes
    ASSERT_EQ(response.job().progress().done(), 0);
  }
  void TearDown() override {
    context_.TryCancel();
    if (server_ != nullptr) server_->Shutdown(std::chrono::system_clock::now());
  }

  ToldManager manager_;
  Metrics metrics_;
  Worker worker_;
  JobServiceImpl service_{&manager_, &worker_, &metrics_};
  std::unique_ptr<grpc::Server> server_;
  std::unique_ptr<v1::JobService::Stub> stub_;
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReader<v1::WatchJobResponse>> reader_;
};

// That this comes to its end at all says that the job, which tells its progress from the device's thread, waits for no
// reader.
TEST_F(JobWatchTest, AReaderThatStandsStillGetsFewUpdatesAndTheLastOne) {
  for (int step = 1; step < kUpdates; ++step) manager_.Tell(JobAt(step));
  manager_.Tell(JobAt(kUpdates, v1::JOB_STATE_SUCCEEDED));
  v1::WatchJobResponse response;
  int64_t last = 0, updates = 0;
  while (reader_->Read(&response)) {
    EXPECT_GT(response.job().progress().done(), last);
    last = response.job().progress().done();
    ++updates;
  }
  EXPECT_TRUE(reader_->Finish().ok());
  EXPECT_EQ(last, kUpdates);
  EXPECT_EQ(response.job().state(), v1::JOB_STATE_SUCCEEDED);
  EXPECT_LT(updates, kUpdates / 10) << "what it did not read in time is kept for it";
}

TEST_F(JobWatchTest, AReaderThatStandsStillDoesNotKeepTheServerFromStopping) {
  for (int step = 1; step < 100; ++step) manager_.Tell(JobAt(step));
  service_.Stop();
  server_->Shutdown(std::chrono::system_clock::now());
  v1::WatchJobResponse unread;
  while (reader_->Read(&unread)) {
  }
  EXPECT_FALSE(reader_->Finish().ok());
  manager_.Tell(JobAt(100));  // nobody listens any more
  EXPECT_EQ(metrics_.open_requests(), 0);
}

TEST_F(JobWatchTest, AReaderThatGoesAwayWhileItStandsStillEndsTheWatch) {
  for (int step = 1; step < 100; ++step) manager_.Tell(JobAt(step));
  context_.TryCancel();
  EXPECT_EQ(reader_->Finish().error_code(), grpc::StatusCode::CANCELLED);
  server_->Shutdown();  // without a deadline: it waits for all calls
  EXPECT_EQ(metrics_.open_requests(), 0);
}

}  // namespace
}  // namespace superpose
