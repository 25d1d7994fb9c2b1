#include "server/services/tensor_stream.h"

#include <utility>

#include "server/services/grpc_status.h"

namespace superpose {

TensorStream::TensorStream(grpc::CallbackServerContext* context, Metrics* metrics, Worker* worker)
    : worker_(worker), record_(metrics, "ReadTensor", UserOf(*context)) {}

void TensorStream::Start(absl::StatusOr<TensorChunks> chunks) {
  if (!chunks.ok()) {
    End(chunks.status());
    return;
  }
  chunks_ = *std::move(chunks);
  WriteNextChunk();
}

void TensorStream::WriteNextChunk() {
  chunks_->Next(response_.mutable_chunk());
  StartWrite(&response_);
}

void TensorStream::OnWriteDone(bool ok) {
  if (!ok) {
    End(absl::CancelledError("the reader went away"));
  } else if (chunks_->done()) {
    End(absl::OkStatus());
  } else {
    worker_->Post([this] { WriteNextChunk(); });
  }
}

void TensorStream::End(const absl::Status& status) {
  record_.End(status);
  Finish(ToGrpcStatus(status));
}

}  // namespace superpose
