#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "server/runtime/worker.h"
#include "server/services/call.h"
#include "server/services/tensor_selection.h"
#include "server/telemetry/metrics.h"
#include "superpose/v1/tensor_service.grpc.pb.h"

namespace superpose {

// Answers one ReadTensor call, chunk by chunk: a chunk is copied (on `worker`: the file may have to be read) when the
// reader has taken the one before. Deletes itself.
class TensorStream final : public grpc::ServerWriteReactor<v1::ReadTensorResponse> {
 public:
  TensorStream(grpc::CallbackServerContext* context, Metrics* metrics, Worker* worker);

  // Once, on `worker`. The first byte sent is the one at `offset` of the selection.
  void Start(absl::StatusOr<TensorSelection> selection, int64_t offset);

  void OnWriteDone(bool ok) override;
  void OnDone() override { delete this; }

 private:
  ~TensorStream() override = default;
  void WriteNextChunk();
  void End(const absl::Status& status);

  Worker* const worker_;
  CallRecord record_;
  std::optional<TensorSelection> selection_;
  int64_t next_offset_ = 0;
  v1::ReadTensorResponse response_;
};

}  // namespace superpose
