#include "server/services/tensor_service.h"

#include "lib/base/status_macros.h"
#include "server/services/tensor_stream.h"

namespace superpose {
namespace {

absl::StatusOr<TensorSelection> Select(const TensorSource& source, const v1::ReadTensorRequest& request) {
  SUPERPOSE_ASSIGN_OR_RETURN(at::Tensor tensor, source.Find(request.resource(), request.tensor()));
  return TensorSelection::Create(std::move(tensor), request.slices());
}

}  // namespace

grpc::ServerWriteReactor<v1::ReadTensorResponse>* TensorServiceImpl::ReadTensor(grpc::CallbackServerContext* context,
                                                                                const v1::ReadTensorRequest* request) {
  auto* stream = new TensorStream(context, metrics_, worker_);
  worker_->Post([this, stream, request] { stream->Start(Select(source_, *request), request->start_offset()); });
  return stream;
}

}  // namespace superpose
