// A real server whose disk is full for a while, or read-only.
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/client/matchers.h"
#include "tests/client/tiny_specs.h"
#include "tests/support/disk.h"
#include "tests/support/tiny_server.h"

namespace superpose::client {
namespace {

using absl::StatusCode;
using ::testing::HasSubstr;

class FullDiskTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_OK_AND_ASSIGN(server_, TinyServer::Start("checkpoint_seconds: 1"));
    ASSERT_OK_AND_ASSIGN(client_, server_->Connect());
  }

  // The job runs, and the server does other things.
  void ExpectAllIsWell(const std::string& job) const {
    ASSERT_OK_AND_ASSIGN(const v1::Job now, client_->GetJob(job));
    EXPECT_EQ(now.state(), v1::JOB_STATE_RUNNING) << now.error().message();
    ActivationsQuery query;
    query.transcoders = {LayerName(kTinyLayer)};
    query.sequences = {{1, 2, 3}};
    EXPECT_OK(client_->GetActivations(query));
  }

  void ExpectLogged(const std::string& message) const {
    const nlohmann::json line = server_->process().WaitForLog(message, absl::Minutes(2));
    ASSERT_FALSE(line.is_null()) << server_->process().ErrorOutput();
    EXPECT_EQ(line["reason"], "STORAGE_FULL") << line;
  }

  bool HasCheckpoint(const std::string& job) const {
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator(server_->folder() / "data" / job, error)) {
      if (entry.path().filename().string().find("checkpoint-") == 0) return true;
    }
    return false;
  }

  absl::Status WatchUntilItHasACheckpoint(const std::string& job) const {
    std::stop_source stop;
    WatchOptions options;
    options.stop = stop.get_token();
    options.deadline = absl::Now() + absl::Minutes(2);
    auto on_change = [&](const v1::Job&) {
      if (HasCheckpoint(job)) stop.request_stop();
    };
    const absl::Status status = client_->WatchJob(job, on_change, options).status();
    return absl::IsCancelled(status) ? absl::OkStatus() : status;
  }

  const Disk disk_;
  std::unique_ptr<TinyServer> server_;
  std::optional<Client> client_;
};

TEST_F(FullDiskTest, WhatAJobMadeIsStoredOnceThereIsRoomAgain) {
  ASSERT_OK_AND_ASSIGN(const v1::Job job, client_->TrainMidcoder(LongTraining()));
  ASSERT_OK(WaitUntilItRuns(*client_, job.name()));
  disk_.Fill();
  ExpectLogged("what a job made was not stored");
  ExpectAllIsWell(job.name());
  disk_.MakeSound();
  ASSERT_OK_AND_ASSIGN(const v1::Job end, client_->WaitForJob(job.name()));
  EXPECT_EQ(end.attempt(), 1);
  const std::string& midcoder = end.trained_midcoders().midcoders(0);
  EXPECT_OK(client_->ReadTensor(midcoder, "W_mid"));
  ASSERT_OK_AND_ASSIGN(const v1::TrainingHistory history, client_->GetMidcoderHistory(midcoder));
  EXPECT_EQ(history.step_size(), LongTraining().steps()) << "no step was lost";
}

TEST_F(FullDiskTest, AJobGoesOnWithoutCheckpointsAndHasThemOnceThereIsRoomAgain) {
  ASSERT_OK_AND_ASSIGN(const v1::Job job, client_->TrainMidcoder(EndlessTraining()));
  ASSERT_OK(WaitUntilItRuns(*client_, job.name()));
  disk_.Fill();
  ExpectLogged("checkpoint failed");
  ExpectAllIsWell(job.name());
  disk_.MakeSound();
  ASSERT_OK(WatchUntilItHasACheckpoint(job.name()));
  server_->process().Kill();
  ASSERT_OK(server_->StartAgain());
  EXPECT_FALSE(server_->process().WaitForLog("job resumed").is_null()) << server_->process().ErrorOutput();
}

TEST_F(FullDiskTest, JobsAreRefusedUntilThereIsRoomAgain) {
  disk_.Fill();
  EXPECT_THAT(client_->TrainMidcoder(ShortTraining()), FailsWith(StatusCode::kResourceExhausted, "STORAGE_FULL"));
  ActivationsQuery query;
  query.transcoders = {LayerName(kTinyLayer)};
  query.sequences = {{1, 2, 3}};
  EXPECT_OK(client_->GetActivations(query));
  disk_.MakeSound();
  ASSERT_OK_AND_ASSIGN(const v1::Job job, client_->TrainMidcoder(ShortTraining()));
  EXPECT_OK(client_->WaitForJob(job.name()));
}

TEST(ReadOnlyDataTest, TheServerDoesNotStart) {
  const Disk disk;
  disk.MakeReadOnly();
  const auto server = TinyServer::Start();
  ASSERT_FALSE(server.ok());
  EXPECT_THAT(std::string(server.status().message()), HasSubstr("STORAGE_READ_ONLY"));
}

TEST(ReadOnlyDataTest, ADiskThatBecomesReadOnlyRefusesUploadsAndAnswersTheRest) {
  const Disk disk;
  ASSERT_OK_AND_ASSIGN(const auto server, TinyServer::Start());
  ASSERT_OK_AND_ASSIGN(const Client client, server->Connect());
  disk.MakeReadOnly();
  EXPECT_THAT(client.UploadBytes("some text"), FailsWith(StatusCode::kFailedPrecondition, "STORAGE_READ_ONLY"));
  EXPECT_OK(client.GetServerInfo());
  disk.MakeSound();
  EXPECT_OK(client.UploadBytes("some text"));
}

}  // namespace
}  // namespace superpose::client
