#pragma once

#include "server/runtime/worker.h"
#include "server/telemetry/metrics.h"
#include "server/uploads/upload_store.h"
#include "superpose/v1/upload_service.grpc.pb.h"

namespace superpose {

// Files from clients. Runs on `worker`.
class UploadServiceImpl final : public v1::UploadService::CallbackService {
 public:
  UploadServiceImpl(UploadStore* store, Worker* worker, Metrics* metrics)
      : store_(store), worker_(worker), metrics_(metrics) {}

  grpc::ServerUnaryReactor* GetUpload(grpc::CallbackServerContext* context, const v1::GetUploadRequest* request,
                                      v1::GetUploadResponse* response) override;
  grpc::ServerReadReactor<v1::WriteUploadRequest>* WriteUpload(grpc::CallbackServerContext* context,
                                                               v1::WriteUploadResponse* response) override;

 private:
  UploadStore* const store_;
  Worker* const worker_;
  Metrics* const metrics_;
};

}  // namespace superpose
