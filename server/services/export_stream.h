#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "lib/base/error.h"
#include "lib/base/mapped_file.h"
#include "proto/crc32c.h"
#include "server/runtime/worker.h"
#include "server/services/call.h"
#include "server/services/grpc_status.h"
#include "server/telemetry/metrics.h"

namespace superpose {

// Answers one call for a file, chunk by chunk: a chunk is copied (on `worker`: the file may have to be read) when the
// reader has taken the one before. Deletes itself. Response: ExportMidcoder's or ExportFactorization's.
template <typename Response>
class ExportStream final : public grpc::ServerWriteReactor<Response> {
 public:
  // The first byte sent is the one at `offset` of the file.
  ExportStream(grpc::CallbackServerContext* context, Metrics* metrics, Worker* worker, std::string method,
               int64_t offset)
      : worker_(worker), record_(metrics, std::move(method), UserOf(*context)), next_offset_(offset) {}

  // Once. CONFIG_INVALID when the file has no such offset.
  void Start(absl::StatusOr<std::shared_ptr<const MappedFile>> file) {
    if (!file.ok()) return End(file.status());
    file_ = *std::move(file);
    if (next_offset_ < 0 || next_offset_ > size()) {
      return End(
          InvalidArgument(reason::kConfigInvalid, "start_offset is ", next_offset_, ": it must be in 0 .. ", size()));
    }
    response_.set_size_bytes(size());
    WriteNextChunk();
  }

  void OnWriteDone(bool ok) override {
    if (!ok) return End(absl::CancelledError("the reader went away"));
    if (next_offset_ == size()) return End(absl::OkStatus());
    response_.clear_size_bytes();
    worker_->Post([this] { WriteNextChunk(); });
  }
  void OnDone() override { delete this; }

 private:
  static constexpr int64_t kChunkBytes = int64_t{1} << 20;

  ~ExportStream() override = default;

  int64_t size() const { return static_cast<int64_t>(file_->size()); }

  void WriteNextChunk() {
    const int64_t count = std::min(kChunkBytes, size() - next_offset_);
    response_.set_offset(next_offset_);
    response_.set_data(file_->data() + next_offset_, static_cast<size_t>(count));
    response_.set_crc32c(Crc32c(response_.data()));
    next_offset_ += count;
    this->StartWrite(&response_);
  }

  void End(const absl::Status& status) {
    record_.End(status);
    this->Finish(ToGrpcStatus(status));
  }

  Worker* const worker_;
  CallRecord record_;
  std::shared_ptr<const MappedFile> file_;
  int64_t next_offset_;
  Response response_;
};

}  // namespace superpose
