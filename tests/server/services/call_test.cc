#include "server/services/call.h"

#include <grpcpp/test/default_reactor_test_peer.h>
#include <gtest/gtest.h>

#include <memory>
#include <new>
#include <stdexcept>
#include <string>

#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "lib/base/error.h"
#include "server/runtime/reasons.h"
#include "server/services/limits.h"

namespace superpose {
namespace {

std::string ReasonOfCall(const grpc::Status& status) {
  google::rpc::Status proto;
  google::rpc::ErrorInfo info;
  if (!proto.ParseFromString(status.error_details()) || proto.details_size() != 1) return "";
  return proto.details(0).UnpackTo(&info) ? info.reason() : "";
}

class CallTest : public testing::Test {
 protected:
  // How a call ends whose work is `body`.
  grpc::Status EndOf(const std::function<absl::Status()>& body) {
    grpc::CallbackServerContext context;
    grpc::testing::DefaultReactorTestPeer peer(&context);
    {
      Worker worker;
      RunOnWorker(&context, &metrics_, &worker, "Method", [&](const UnaryCall&) { return body(); });
    }
    EXPECT_TRUE(peer.test_status_set());
    return peer.test_status();
  }

  Metrics metrics_;
};

TEST_F(CallTest, EndsWithWhatItsBodyReturns) {
  EXPECT_TRUE(EndOf([] { return absl::OkStatus(); }).ok());
  const grpc::Status status = EndOf([] { return NotFound(reason::kJobNotFound, "no job"); });
  EXPECT_EQ(status.error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(status.error_message(), "no job");
  EXPECT_EQ(ReasonOfCall(status), reason::kJobNotFound);
}

TEST_F(CallTest, AnExceptionEndsTheCallAndNotTheServer) {
  const grpc::Status memory = EndOf([]() -> absl::Status { throw std::bad_alloc(); });
  EXPECT_EQ(memory.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(ReasonOfCall(memory), reason::kOutOfMemory);
  const grpc::Status other = EndOf([]() -> absl::Status { throw std::length_error("too long"); });
  EXPECT_EQ(other.error_code(), grpc::StatusCode::INTERNAL);
  EXPECT_EQ(ReasonOfCall(other), reason::kComputeFailed);
}

TEST_F(CallTest, IsRefusedWhenTooManyAreOpen) {
  metrics_.AddOpenRequests(static_cast<int>(kMostOpenCalls) - 1);
  EXPECT_TRUE(EndOf([] { return absl::OkStatus(); }).ok());
  metrics_.AddOpenRequests(1);
  const grpc::Status status = EndOf([]() -> absl::Status {
    ADD_FAILURE() << "a refused call was run";
    return absl::OkStatus();
  });
  EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(ReasonOfCall(status), reason::kQueueFull);
}

TEST_F(CallTest, ALongErrorKeepsItsCodeAndReason) {
  const grpc::Status status = EndOf([] { return NotFound(reason::kTensorMissing, std::string(50'000, 'n')); });
  EXPECT_EQ(status.error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_LE(status.error_message().size(), 1024u);
  EXPECT_LT(status.error_message().size() + status.error_details().size(), 2500u);
  EXPECT_EQ(ReasonOfCall(status), reason::kTensorMissing);
}

TEST_F(CallTest, ALongErrorDoesNotFillTheLog) {
  testing::internal::CaptureStderr();
  EndOf([] { return NotFound(reason::kTensorMissing, std::string(50'000, 'n')); });
  const std::string log = testing::internal::GetCapturedStderr();
  EXPECT_NE(log.find("TENSOR_MISSING"), std::string::npos) << log;
  EXPECT_LT(log.size(), 2000U);
}

}  // namespace
}  // namespace superpose
