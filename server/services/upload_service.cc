#include "server/services/upload_service.h"

#include "lib/base/status_macros.h"
#include "server/services/call.h"
#include "server/services/upload_stream.h"

namespace superpose {

grpc::ServerUnaryReactor* UploadServiceImpl::GetUpload(grpc::CallbackServerContext* context,
                                                       const v1::GetUploadRequest* request,
                                                       v1::GetUploadResponse* response) {
  return RunOnWorker(context, metrics_, worker_, "GetUpload", [=, this](const UnaryCall&) -> absl::Status {
    SUPERPOSE_ASSIGN_OR_RETURN(*response->mutable_upload(), store_->Get(request->name()));
    return absl::OkStatus();
  });
}

grpc::ServerReadReactor<v1::WriteUploadRequest>* UploadServiceImpl::WriteUpload(grpc::CallbackServerContext* context,
                                                                                v1::WriteUploadResponse* response) {
  auto* stream = new UploadStream(context, response, metrics_, worker_, store_);
  stream->Start(CheckOpenCalls(*metrics_));
  return stream;
}

}  // namespace superpose
