#include "server/services/tensor_service.h"

#include <utility>

#include "lib/base/status_macros.h"
#include "server/services/call.h"
#include "server/services/tensor_chunks.h"
#include "server/services/tensor_stream.h"

namespace superpose {
namespace {

absl::StatusOr<TensorChunks> ChunksFor(const TensorSource& source, const v1::ReadTensorRequest& request) {
  SUPERPOSE_ASSIGN_OR_RETURN(TensorSelection selection,
                             source.Select(request.resource(), request.tensor(), request.slices()));
  return TensorChunks::Create(std::move(selection), request.start_offset());
}

}  // namespace

grpc::ServerWriteReactor<v1::ReadTensorResponse>* TensorServiceImpl::ReadTensor(grpc::CallbackServerContext* context,
                                                                                const v1::ReadTensorRequest* request) {
  auto* stream = new TensorStream(context, metrics_, worker_);
  StartStream(*metrics_, worker_, stream, [this, request] { return ChunksFor(source_, *request); });
  return stream;
}

}  // namespace superpose
