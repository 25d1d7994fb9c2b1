// What a server that is killed or stopped leaves, and what the next one makes of it.
#include <map>
#include <nlohmann/json.hpp>
#include <string>

#include "client/cpp/client.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/client/tiny_specs.h"
#include "tests/integration/job_moments.h"
#include "tests/status_matchers.h"
#include "tests/support/server_process.h"
#include "tests/support/tiny_server.h"

namespace superpose {
namespace {

using ::testing::HasSubstr;

std::map<std::string, std::string> WeightsOf(const Client& client, const v1::Job& job) {
  std::map<std::string, std::string> weights;
  for (const char* name : {"W_mid", "b_mid", "b_mid_out"}) {
    const auto tensor = client.ReadTensor(job.trained_midcoders().midcoders(0), name);
    EXPECT_OK(tensor);
    if (tensor.ok()) weights[name] = tensor->bytes;
  }
  return weights;
}

TEST(RestartTest, AJobKilledWithItsServerEndsWithTheBitsOfOneThatWasNot) {
  ASSERT_OK_AND_ASSIGN(const auto server, TinyServer::Start("checkpoint_seconds: 1"));
  ASSERT_OK_AND_ASSIGN(const Client client, server->Connect());
  v1::MidcoderTrainingSpec spec = LongTraining();
  spec.set_steps(6000);
  ASSERT_OK_AND_ASSIGN(const v1::Job first, client.TrainMidcoder(spec));
  ASSERT_OK_AND_ASSIGN(const v1::Job uninterrupted, client.WaitForJob(first.name()));
  const auto weights = WeightsOf(client, uninterrupted);

  ASSERT_OK_AND_ASSIGN(const v1::Job second, client.TrainMidcoder(spec));
  ASSERT_OK(WatchUntil(client, second.name(), [&](const v1::Job&) { return HasCheckpoint(*server, second.name()); }));
  server->process().Kill();
  ASSERT_OK(server->StartAgain());
  ASSERT_OK_AND_ASSIGN(const Client again, server->Connect());
  ASSERT_OK_AND_ASSIGN(const v1::Job resumed, again.WaitForJob(second.name()));

  EXPECT_EQ(resumed.attempt(), 2);
  const nlohmann::json line = server->process().WaitForLog("job resumed");
  EXPECT_GT(std::stoll(line["step"].get<std::string>()), 0) << "it went on from a checkpoint";
  EXPECT_EQ(WeightsOf(again, resumed), weights);
  ASSERT_OK_AND_ASSIGN(const v1::TrainingHistory history,
                       again.GetMidcoderHistory(resumed.trained_midcoders().midcoders(0)));
  ASSERT_EQ(history.step_size(), 6000);
  for (int i = 0; i < history.step_size(); ++i) ASSERT_EQ(history.step(i), i + 1);
}

TEST(RestartTest, AServerThatIsToldToStopCheckpointsAndExitsWithZero) {
  ASSERT_OK_AND_ASSIGN(const auto server, TinyServer::Start());
  ASSERT_OK_AND_ASSIGN(const Client client, server->Connect());
  ASSERT_OK_AND_ASSIGN(const v1::Job job, client.TrainMidcoder(EndlessTraining()));
  ASSERT_OK(WatchUntil(client, job.name(), [](const v1::Job& now) { return now.progress().done() > 0; }));
  EXPECT_EQ(server->process().Terminate(), 0);
  EXPECT_TRUE(HasCheckpoint(*server, job.name()));

  ASSERT_OK(server->StartAgain());
  const nlohmann::json line = server->process().WaitForLog("job resumed");
  ASSERT_FALSE(line.is_null());
  EXPECT_EQ(line["job"], job.name());
  ASSERT_OK_AND_ASSIGN(const Client again, server->Connect());
  ASSERT_OK(again.CancelJob(job.name()));
  ASSERT_OK_AND_ASSIGN(const v1::Job end, again.WatchJob(job.name(), nullptr));
  EXPECT_EQ(end.state(), v1::JOB_STATE_CANCELLED);
}

TEST(RestartTest, AQueuedJobSurvivesAKill) {
  ASSERT_OK_AND_ASSIGN(const auto server, TinyServer::Start());
  ASSERT_OK_AND_ASSIGN(const Client client, server->Connect());
  ASSERT_OK_AND_ASSIGN(const v1::Job running, client.TrainMidcoder(EndlessTraining()));
  ASSERT_OK_AND_ASSIGN(const v1::Job queued, client.TrainMidcoder(ShortTraining()));
  server->process().Kill();
  ASSERT_OK(server->StartAgain());
  ASSERT_OK_AND_ASSIGN(const Client again, server->Connect());
  ASSERT_OK(again.CancelJob(running.name()));
  EXPECT_OK(again.WaitForJob(queued.name()));
}

TEST(RestartTest, AFolderThatAnotherServerUsesIsRefused) {
  ASSERT_OK_AND_ASSIGN(const auto server, TinyServer::Start());
  const auto second = ServerProcess::Start(server->config());
  ASSERT_FALSE(second.ok());
  EXPECT_THAT(std::string(second.status().message()), HasSubstr("DATA_DIR_IN_USE"));
  ASSERT_OK(server->Connect());
}

}  // namespace
}  // namespace superpose
