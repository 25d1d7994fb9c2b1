// Factorization jobs of a server that is killed, and ones that are cancelled.
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

v1::FactorizationSpec Factorization(int epochs) {
  v1::FactorizationSpec spec;
  spec.mutable_directions()->set_transcoder(client::LayerName(kTinyLayer));
  spec.set_factors(96);
  spec.set_batch_size(64);
  spec.set_epochs(epochs);
  return spec;
}

std::string BytesOf(const Client& client, const v1::Job& job, const std::string& tensor) {
  const auto found = client.ReadTensor(job.factorization().factorization(), tensor);
  EXPECT_OK(found);
  return found.ok() ? found->bytes : "";
}

TEST(FactorizationTest, AJobKilledWithItsServerEndsWithTheBitsOfOneThatWasNot) {
  ASSERT_OK_AND_ASSIGN(const auto server, TinyServer::Start("checkpoint_seconds: 1"));
  ASSERT_OK_AND_ASSIGN(const Client client, server->Connect());
  const v1::FactorizationSpec spec = Factorization(3000);
  ASSERT_OK_AND_ASSIGN(const v1::Job first, client.Factorize(spec));
  ASSERT_OK_AND_ASSIGN(const v1::Job uninterrupted, client.WaitForJob(first.name()));

  ASSERT_OK_AND_ASSIGN(const v1::Job second, client.Factorize(spec));
  ASSERT_OK(WatchUntil(client, second.name(), [&](const v1::Job&) { return HasCheckpoint(*server, second.name()); }));
  server->process().Kill();
  ASSERT_OK(server->StartAgain());
  ASSERT_OK_AND_ASSIGN(const Client again, server->Connect());
  ASSERT_OK_AND_ASSIGN(const v1::Job resumed, again.WaitForJob(second.name()));

  EXPECT_EQ(resumed.attempt(), 2);
  EXPECT_FALSE(server->process().WaitForLog("job resumed").is_null()) << "it went on from a checkpoint";
  for (const char* tensor : {"factors", "parameter", "code_factors", "error", "loss", "stability_cosine"}) {
    EXPECT_TRUE(BytesOf(again, resumed, tensor) == BytesOf(again, uninterrupted, tensor)) << tensor;
  }
  EXPECT_EQ(resumed.factorization().quality().SerializeAsString(),
            uninterrupted.factorization().quality().SerializeAsString());
}

TEST(FactorizationTest, AJobIsCancelledInMidFit) {
  ASSERT_OK_AND_ASSIGN(const auto server, TinyServer::Start());
  ASSERT_OK_AND_ASSIGN(const Client client, server->Connect());
  ASSERT_OK_AND_ASSIGN(const v1::Job job, client.Factorize(Factorization(1'000'000)));
  ASSERT_OK(WatchUntil(client, job.name(), [](const v1::Job& now) { return now.progress().done() > 0; }));
  ASSERT_OK(client.CancelJob(job.name()));
  ASSERT_OK_AND_ASSIGN(const v1::Job end, client.WatchJob(job.name(), nullptr));
  EXPECT_EQ(end.state(), v1::JOB_STATE_CANCELLED);
}

// Asks for an eigenproblem that takes seconds, and waits until LAPACK, which is the last unit, is at it: the job's
// name.
absl::StatusOr<std::string> BeginEigenproblem(const Client& client) {
  v1::AnalysisSpec spec;
  spec.mutable_spectrum()->set_vectors(true);
  v1::DirectionSource* directions = spec.mutable_spectrum()->mutable_directions();
  directions->set_transcoder(client::LayerName(kTinyLayer));
  for (int i = 0; i < 3000; ++i) directions->mutable_features()->mutable_ids()->add_values(i % 256);
  const auto response = client.AnalyzeDirections(spec);
  if (!response.ok()) return response.status();
  EXPECT_TRUE(response->has_job()) << "it takes long";
  std::string job = response->job().name();
  absl::Status begun = WatchUntil(client, job, [](const v1::Job& now) {
    return now.progress().total() > 1 && now.progress().done() == now.progress().total() - 1;
  });
  if (!begun.ok()) return begun;
  return job;
}

TEST(FactorizationTest, AServerThatStopsInMidEigenproblemLosesNothing) {
  ASSERT_OK_AND_ASSIGN(const auto server, TinyServer::Start());
  ASSERT_OK_AND_ASSIGN(const Client client, server->Connect());
  ASSERT_OK_AND_ASSIGN(const std::string job, BeginEigenproblem(client));
  EXPECT_EQ(server->process().Terminate(), 0);
  ASSERT_OK(server->StartAgain());
  ASSERT_OK_AND_ASSIGN(const Client again, server->Connect());
  ASSERT_OK_AND_ASSIGN(const v1::Job end, again.WaitForJob(job));
  EXPECT_EQ(end.analysis().spec().spectrum().directions().features().ids().values_size(), 3000);
  EXPECT_OK(again.ReadTensor(job, "U"));
}

TEST(FactorizationTest, ACancelInMidEigenproblemTakesEffectAfterIt) {
  ASSERT_OK_AND_ASSIGN(const auto server, TinyServer::Start());
  ASSERT_OK_AND_ASSIGN(const Client client, server->Connect());
  ASSERT_OK_AND_ASSIGN(const std::string job, BeginEigenproblem(client));
  ASSERT_OK(client.CancelJob(job));
  ASSERT_OK_AND_ASSIGN(const v1::Job end, client.WatchJob(job, nullptr));
  EXPECT_EQ(end.state(), v1::JOB_STATE_CANCELLED);
}

}  // namespace
}  // namespace superpose
