#include "client/cpp/errors.h"

#include <google/rpc/error_details.pb.h>

#include <string>

#include "client/cpp/client.h"
#include "tests/client/matchers.h"

namespace superpose::client {
namespace {

google::rpc::Status RpcStatus(int code, const std::string& message, const std::string& reason,
                              const std::string& domain) {
  google::rpc::Status status;
  status.set_code(code);
  status.set_message(message);
  google::rpc::ErrorInfo info;
  info.set_reason(reason);
  info.set_domain(domain);
  status.add_details()->PackFrom(info);
  return status;
}

TEST(ErrorsTest, AnErrorOfTheServerKeepsCodeMessageAndReason) {
  google::rpc::Status details = RpcStatus(5, "no such model", "MODEL_NOT_FOUND", "superpose");
  absl::Status status =
      FromGrpc(grpc::Status(grpc::StatusCode::NOT_FOUND, "no such model", details.SerializeAsString()));
  EXPECT_THAT(status, FailsWith(absl::StatusCode::kNotFound, "MODEL_NOT_FOUND"));
  EXPECT_EQ(status.message(), "no such model");
}

TEST(ErrorsTest, AnErrorOfTheNetworkHasNoReason) {
  absl::Status status = FromGrpc(grpc::Status(grpc::StatusCode::UNAVAILABLE, "connection refused"));
  EXPECT_THAT(status, FailsWith(absl::StatusCode::kUnavailable, ""));
}

TEST(ErrorsTest, OkStaysOk) {
  EXPECT_OK(FromGrpc(grpc::Status::OK));
  EXPECT_OK(FromRpc(google::rpc::Status()));
  EXPECT_EQ(ReasonOf(absl::OkStatus()), "");
}

TEST(ErrorsTest, ReasonsOfOtherDomainsAreNotOurs) {
  absl::Status status = FromRpc(RpcStatus(5, "elsewhere", "GONE", "example.com"));
  EXPECT_THAT(status, FailsWith(absl::StatusCode::kNotFound, ""));
}

TEST(ErrorsTest, DetailsThatCannotBeReadAreLeftOut) {
  absl::Status status = FromGrpc(grpc::Status(grpc::StatusCode::INTERNAL, "broken", "\xff\xff\xff\xff"));
  EXPECT_THAT(status, FailsWith(absl::StatusCode::kInternal, ""));
  EXPECT_EQ(status.message(), "broken");
}

TEST(ErrorsTest, DetailsOfOtherKindsAreSkipped) {
  google::rpc::Status details = RpcStatus(9, "busy", "JOB_NOT_FINISHED", "superpose");
  google::rpc::Status mixed;
  mixed.add_details()->PackFrom(google::rpc::RetryInfo());
  mixed.add_details()->set_type_url("type.googleapis.com/of.another.world");
  mixed.add_details()->CopyFrom(details.details(0));
  absl::Status status =
      FromGrpc(grpc::Status(grpc::StatusCode::FAILED_PRECONDITION, "busy", mixed.SerializeAsString()));
  EXPECT_THAT(status, FailsWith(absl::StatusCode::kFailedPrecondition, "JOB_NOT_FINISHED"));
}

TEST(ErrorsTest, ContextGoesBeforeTheMessageAndLeavesTheReason) {
  absl::Status status =
      WithContext(MakeError(absl::StatusCode::kNotFound, "CORPUS_NOT_FOUND", "no corpus"), "jobs/1 failed");
  EXPECT_THAT(status, FailsWith(absl::StatusCode::kNotFound, "CORPUS_NOT_FOUND"));
  EXPECT_EQ(status.message(), "jobs/1 failed: no corpus");
  EXPECT_OK(WithContext(absl::OkStatus(), "nothing"));
}

TEST(OutcomeTest, AFailedJobGivesItsOwnError) {
  v1::Job job;
  job.set_name("jobs/1");
  job.set_state(v1::JOB_STATE_FAILED);
  *job.mutable_error() = RpcStatus(13, "the loss is NaN at step 7", "TRAINING_DIVERGED", "superpose");
  EXPECT_THAT(OutcomeOf(job), FailsWith(absl::StatusCode::kInternal, "TRAINING_DIVERGED"));
  EXPECT_THAT(OutcomeOf(job), MessageHas("step 7"));
}

TEST(OutcomeTest, AFailedJobWithoutAnErrorIsStillAFailure) {
  v1::Job job;
  job.set_state(v1::JOB_STATE_FAILED);
  EXPECT_EQ(OutcomeOf(job).code(), absl::StatusCode::kUnknown);
}

TEST(OutcomeTest, ACancelledJobIsCancelled) {
  v1::Job job;
  job.set_state(v1::JOB_STATE_CANCELLED);
  EXPECT_THAT(OutcomeOf(job), FailsWith(absl::StatusCode::kCancelled, "JOB_CANCELLED"));
}

TEST(OutcomeTest, OnlyThreeStatesAreFinal) {
  v1::Job job;
  for (auto [state, final] : {std::pair(v1::JOB_STATE_UNSPECIFIED, false), std::pair(v1::JOB_STATE_QUEUED, false),
                              std::pair(v1::JOB_STATE_RUNNING, false), std::pair(v1::JOB_STATE_SUCCEEDED, true),
                              std::pair(v1::JOB_STATE_FAILED, true), std::pair(v1::JOB_STATE_CANCELLED, true)}) {
    job.set_state(state);
    EXPECT_EQ(IsFinished(job), final) << v1::JobState_Name(state);
  }
}

}  // namespace
}  // namespace superpose::client
