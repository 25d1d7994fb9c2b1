#pragma once

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "server/runtime/worker.h"
#include "server/services/call.h"
#include "server/services/tensor_chunks.h"
#include "server/telemetry/metrics.h"
#include "superpose/v1/tensor_service.grpc.pb.h"

namespace superpose {

// Answers one ReadTensor call, chunk by chunk: a chunk is copied (on `worker`: the file may have to be read) when the
// reader has taken the one before. Deletes itself.
class TensorStream final : public grpc::ServerWriteReactor<v1::ReadTensorResponse> {
 public:
  TensorStream(grpc::CallbackServerContext* context, Metrics* metrics, Worker* worker);

  // Once, with what is to be sent.
  void Start(absl::StatusOr<TensorChunks> chunks);

  void OnWriteDone(bool ok) override;
  void OnDone() override { delete this; }

 private:
  ~TensorStream() override = default;
  void WriteNextChunk();
  void End(const absl::Status& status);

  Worker* const worker_;
  CallRecord record_;
  std::optional<TensorChunks> chunks_;
  v1::ReadTensorResponse response_;
};

}  // namespace superpose
