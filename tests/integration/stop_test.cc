// When the server is told to end.
#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>

#include <csignal>
#include <cstdint>
#include <filesystem>
#include <string>

#include "absl/strings/substitute.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "superpose/v1/feature_service.grpc.pb.h"
#include "tests/status_matchers.h"
#include "tests/support/server_process.h"
#include "tests/support/test_folder.h"
#include "tests/support/tiny_server.h"

namespace superpose {
namespace {

// A server that loads for minutes: its corpus is one hole of a hundred billion tokens, all of which are read.
std::string LongLoading(const TestFolder& folder) {
  constexpr uintmax_t kBytes = 200'000'000'000;
  std::filesystem::resize_file(folder.Write("hole.bin", ""), kBytes);
  return folder.Write("server.textproto", absl::Substitute(R"(
      listen_address: "127.0.0.1:0" threads: 1
      model { name: "tiny" path: "$0" }
      corpus { name: "hole" path: "hole.bin" model: "tiny" })",
                                                           SUPERPOSE_TEST_DATA "/golden/model"));
}

TEST(StopTest, AServerThatStillLoadsEndsAtOnce) {
  const TestFolder folder;
  ASSERT_OK_AND_ASSIGN(const auto server, ServerProcess::Launch(LongLoading(folder)));
  ASSERT_FALSE(server->WaitForLog("loading").is_null()) << server->ErrorOutput();
  EXPECT_EQ(server->Terminate(), 0);
  EXPECT_FALSE(server->WaitForLog("stopped while loading").is_null()) << server->ErrorOutput();
  EXPECT_TRUE(server->WaitForLog("listening").is_null());
}

// Of far more bytes than are on their way when nobody reads.
v1::StreamActivationsRequest LongQuery() {
  v1::StreamActivationsRequest request;
  request.mutable_query()->add_transcoders("models/tiny/layers/1");
  v1::TokenBatch* tokens = request.mutable_query()->mutable_tokens();
  for (int i = 0; i < 50'000; ++i) tokens->add_token_ids(i % 256);
  for (int i = 0; i < 1000; ++i) tokens->add_lengths(50);
  return request;
}

TEST(StopTest, ASecondSignalDoesNotWaitForCallsUnderWay) {
  ASSERT_OK_AND_ASSIGN(const auto server, TinyServer::Start());
  v1::FeatureService::Stub stub(grpc::CreateChannel(server->address(), grpc::InsecureChannelCredentials()));
  grpc::ClientContext context;
  const auto unread = stub.StreamActivations(&context, LongQuery());
  unread->WaitForInitialMetadata();
  kill(server->process().pid(), SIGINT);
  ASSERT_FALSE(server->process().WaitForLog("stopping").is_null());
  EXPECT_EQ(server->process().Terminate(), 128 + SIGTERM);
  context.TryCancel();
  EXPECT_FALSE(unread->Finish().ok());
}

}  // namespace
}  // namespace superpose
