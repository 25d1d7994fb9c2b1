#pragma once

#include <cstdint>
#include <memory>

#include "absl/status/statusor.h"
#include "lib/base/mapped_file.h"
#include "server/runtime/worker.h"
#include "server/services/call.h"
#include "server/telemetry/metrics.h"
#include "superpose/v1/midcoder_service.grpc.pb.h"

namespace superpose {

// Answers one ExportMidcoder call, chunk by chunk: a chunk is copied (on `worker`: the file may have to be read) when
// the reader has taken the one before. Deletes itself.
class ExportStream final : public grpc::ServerWriteReactor<v1::ExportMidcoderResponse> {
 public:
  // The first byte sent is the one at `offset` of the file.
  ExportStream(grpc::CallbackServerContext* context, Metrics* metrics, Worker* worker, int64_t offset);

  // Once. CONFIG_INVALID when the file has no such offset.
  void Start(absl::StatusOr<std::shared_ptr<const MappedFile>> file);

  void OnWriteDone(bool ok) override;
  void OnDone() override { delete this; }

 private:
  ~ExportStream() override = default;
  void WriteNextChunk();
  void End(const absl::Status& status);

  Worker* const worker_;
  CallRecord record_;
  std::shared_ptr<const MappedFile> file_;
  int64_t next_offset_;
  v1::ExportMidcoderResponse response_;
};

}  // namespace superpose
