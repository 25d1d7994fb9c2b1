#pragma once

#include <cstddef>
#include <memory>
#include <optional>

#include "absl/status/statusor.h"
#include "server/runtime/device_executor.h"
#include "server/runtime/worker.h"
#include "server/services/call.h"
#include "server/services/mlp_tensors_work.h"
#include "server/services/tensor_chunks.h"
#include "server/telemetry/metrics.h"
#include "superpose/v1/prompt_service.grpc.pb.h"

namespace superpose {

// Answers one GetMlpTensors call: computes all tensors, then writes them chunk by chunk; a chunk is copied (on
// `worker`) when the reader has taken the one before. Deletes itself.
class MlpTensorsStream final : public grpc::ServerWriteReactor<v1::GetMlpTensorsResponse> {
 public:
  MlpTensorsStream(grpc::CallbackServerContext* context, Metrics* metrics, DeviceExecutor* executor, Worker* worker);

  // Once.
  void Start(absl::StatusOr<MlpTensorsWork> work);

  void OnWriteDone(bool ok) override;
  void OnDone() override { delete this; }

 private:
  ~MlpTensorsStream() override = default;
  void BeginWriting();
  absl::Status NextTensor();
  void WriteNextChunk();
  void End(const absl::Status& status);

  grpc::CallbackServerContext* const context_;
  Metrics* const metrics_;
  DeviceExecutor* const executor_;
  Worker* const worker_;
  CallRecord record_;
  std::shared_ptr<MlpTensorsWork> work_;
  size_t next_tensor_ = 0;
  std::optional<TensorChunks> chunks_;  // of the tensor before next_tensor_
  v1::GetMlpTensorsResponse response_;
};

}  // namespace superpose
