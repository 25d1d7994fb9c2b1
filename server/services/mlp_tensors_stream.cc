#include "server/services/mlp_tensors_stream.h"

#include <utility>

#include "lib/base/status_macros.h"
#include "server/services/device_parts.h"
#include "server/services/grpc_status.h"

namespace superpose {

MlpTensorsStream::MlpTensorsStream(grpc::CallbackServerContext* context, Metrics* metrics, DeviceExecutor* executor,
                                   Worker* worker)
    : context_(context),
      metrics_(metrics),
      executor_(executor),
      worker_(worker),
      record_(metrics, "GetMlpTensors", UserOf(*context)) {}

void MlpTensorsStream::Start(absl::StatusOr<MlpTensorsWork> work) {
  if (!work.ok()) {
    End(work.status());
    return;
  }
  work_ = std::make_shared<MlpTensorsWork>(*std::move(work));
  PartedRequest request;
  request.run_part = [this] { return work_->RunPart(); };
  request.finish = [this](const absl::Status& status) {
    if (status.ok()) {
      worker_->Post([this] { BeginWriting(); });
    } else {
      End(status);
    }
  };
  request.deadline = absl::FromChrono(context_->deadline());
  request.is_cancelled = [this] { return context_->IsCancelled(); };
  RunInParts(executor_, std::move(request));
}

void MlpTensorsStream::BeginWriting() {
  metrics_->AddTokens("prompt", static_cast<double>(work_->tokens()));
  absl::StatusOr<v1::GetMlpTensorsResponse> description = work_->Description();
  const absl::Status status = description.ok() ? NextTensor() : description.status();
  if (!status.ok()) {
    End(status);
    return;
  }
  response_ = *std::move(description);
  WriteNextChunk();
}

absl::Status MlpTensorsStream::NextTensor() {
  SUPERPOSE_ASSIGN_OR_RETURN(TensorSelection selection,
                             TensorSelection::Create(work_->Take(next_tensor_), /*slices=*/{}));
  SUPERPOSE_ASSIGN_OR_RETURN(chunks_, TensorChunks::Create(std::move(selection), /*offset=*/0));
  ++next_tensor_;
  return absl::OkStatus();
}

void MlpTensorsStream::WriteNextChunk() {
  response_.set_which(work_->which()[next_tensor_ - 1]);
  chunks_->Next(response_.mutable_chunk());
  StartWrite(&response_);
}

void MlpTensorsStream::OnWriteDone(bool ok) {
  if (!ok) {
    End(absl::CancelledError("the reader went away"));
    return;
  }
  response_.clear_tokens();
  response_.clear_token_texts();
  response_.clear_provenance();
  const bool last_tensor = next_tensor_ == work_->which().size();
  const absl::Status status = chunks_->done() && !last_tensor ? NextTensor() : absl::OkStatus();
  if (!status.ok() || chunks_->done()) {
    End(status);
  } else {
    worker_->Post([this] { WriteNextChunk(); });
  }
}

void MlpTensorsStream::End(const absl::Status& status) {
  record_.End(status);
  Finish(ToGrpcStatus(status));
}

}  // namespace superpose
