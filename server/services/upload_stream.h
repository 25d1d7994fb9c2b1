#pragma once

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "server/runtime/worker.h"
#include "server/services/call.h"
#include "server/telemetry/metrics.h"
#include "server/uploads/upload_store.h"
#include "superpose/v1/upload_service.grpc.pb.h"

namespace superpose {

// Takes one WriteUpload call, piece by piece: the next is read when the one before is on disk (written on `worker`).
// Deletes itself.
class UploadStream final : public grpc::ServerReadReactor<v1::WriteUploadRequest> {
 public:
  UploadStream(grpc::CallbackServerContext* context, v1::WriteUploadResponse* response, Metrics* metrics,
               Worker* worker, UploadStore* store);

  // Once: takes pieces, or ends the call with the error.
  void Start(const absl::Status& admitted);

  void OnReadDone(bool ok) override;
  void OnDone() override { delete this; }

 private:
  ~UploadStream() override = default;
  void TakePiece();
  absl::Status Begin();
  void CatchUp();
  void WritePiece();
  void TakeEnd();
  void End(const absl::Status& status);

  grpc::CallbackServerContext* const context_;
  v1::WriteUploadResponse* const response_;
  Worker* const worker_;
  UploadStore* const store_;
  CallRecord record_;
  std::unique_ptr<UploadWriter> writer_;  // from the first piece on
  v1::WriteUploadRequest piece_;
};

}  // namespace superpose
