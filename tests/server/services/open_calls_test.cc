// Calls that are refused because too many are open: every one that waits for a worker or holds something.
#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>

#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "gtest/gtest.h"
#include "server/runtime/reasons.h"
#include "server/services/job_service.h"
#include "server/services/limits.h"
#include "server/services/midcoder_service.h"
#include "server/services/model_service.h"
#include "server/services/upload_service.h"

namespace superpose {
namespace {

std::string ReasonOfCall(const grpc::Status& status) {
  google::rpc::Status proto;
  google::rpc::ErrorInfo info;
  if (!proto.ParseFromString(status.error_details()) || proto.details_size() != 1) return "";
  return proto.details(0).UnpackTo(&info) ? info.reason() : "";
}

// Services without anything behind them: what is refused does not look for it.
class OpenCallsTest : public testing::Test {
 protected:
  OpenCallsTest() {
    metrics_.AddOpenRequests(static_cast<int>(kMostOpenCalls));
    grpc::ServerBuilder builder;
    for (grpc::Service* service : {static_cast<grpc::Service*>(&uploads_), static_cast<grpc::Service*>(&midcoders_),
                                   static_cast<grpc::Service*>(&models_), static_cast<grpc::Service*>(&jobs_)}) {
      builder.RegisterService(service);
    }
    server_ = builder.BuildAndStart();
    channel_ = server_->InProcessChannel({});
  }
  void ExpectRefused(const grpc::Status& status) const {
    EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED) << status.error_message();
    EXPECT_EQ(ReasonOfCall(status), reason::kQueueFull);
    EXPECT_EQ(metrics_.open_requests(), kMostOpenCalls) << "it has ended";
  }
  template <typename Service>
  std::unique_ptr<typename Service::Stub> Stub() const {
    return Service::NewStub(channel_);
  }

  Metrics metrics_;
  Worker worker_;
  UploadServiceImpl uploads_{nullptr, &worker_, &metrics_};
  MidcoderServiceImpl midcoders_{
      MidcoderServiceImpl::Parts{.worker = &worker_, .loading_worker = &worker_, .metrics = &metrics_}};
  ModelServiceImpl models_{nullptr, nullptr, &worker_, &metrics_};
  JobServiceImpl jobs_{nullptr, &worker_, &metrics_};
  std::unique_ptr<grpc::Server> server_;
  std::shared_ptr<grpc::Channel> channel_;
  grpc::ClientContext context_;
};

TEST_F(OpenCallsTest, AnUpload) {
  v1::WriteUploadResponse response;
  ExpectRefused(Stub<v1::UploadService>()->WriteUpload(&context_, &response)->Finish());
}

TEST_F(OpenCallsTest, AnExport) {
  const auto reader = Stub<v1::MidcoderService>()->ExportMidcoder(&context_, {});
  v1::ExportMidcoderResponse response;
  EXPECT_FALSE(reader->Read(&response));
  ExpectRefused(reader->Finish());
}

TEST_F(OpenCallsTest, AWatch) {
  const auto reader = Stub<v1::JobService>()->WatchJob(&context_, {});
  v1::WatchJobResponse response;
  EXPECT_FALSE(reader->Read(&response));
  ExpectRefused(reader->Finish());
}

TEST_F(OpenCallsTest, LoadingAModel) {
  v1::LoadModelResponse response;
  ExpectRefused(Stub<v1::ModelService>()->LoadModel(&context_, {}, &response));
}

TEST_F(OpenCallsTest, LoadingATranscoder) {
  v1::LoadTranscoderResponse response;
  ExpectRefused(Stub<v1::ModelService>()->LoadTranscoder(&context_, {}, &response));
}

TEST_F(OpenCallsTest, UnloadingAModel) {
  v1::UnloadModelResponse response;
  ExpectRefused(Stub<v1::ModelService>()->UnloadModel(&context_, {}, &response));
}

TEST_F(OpenCallsTest, UnloadingATranscoder) {
  v1::UnloadTranscoderResponse response;
  ExpectRefused(Stub<v1::ModelService>()->UnloadTranscoder(&context_, {}, &response));
}

}  // namespace
}  // namespace superpose
