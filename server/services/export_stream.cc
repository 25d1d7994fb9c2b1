#include "server/services/export_stream.h"

#include <algorithm>
#include <utility>

#include "lib/base/error.h"
#include "proto/crc32c.h"
#include "server/services/grpc_status.h"

namespace superpose {
namespace {

constexpr int64_t kChunkBytes = int64_t{1} << 20;

}  // namespace

ExportStream::ExportStream(grpc::CallbackServerContext* context, Metrics* metrics, Worker* worker, int64_t offset)
    : worker_(worker), record_(metrics, "ExportMidcoder", UserOf(*context)), next_offset_(offset) {}

void ExportStream::Start(absl::StatusOr<std::shared_ptr<const MappedFile>> file) {
  if (!file.ok()) {
    End(file.status());
    return;
  }
  file_ = *std::move(file);
  const auto size = static_cast<int64_t>(file_->size());
  if (next_offset_ < 0 || next_offset_ > size) {
    End(InvalidArgument(reason::kConfigInvalid, "start_offset is ", next_offset_, ": it must be in 0 .. ", size));
    return;
  }
  response_.set_size_bytes(size);
  WriteNextChunk();
}

void ExportStream::WriteNextChunk() {
  const auto size = static_cast<int64_t>(file_->size());
  const int64_t count = std::min(kChunkBytes, size - next_offset_);
  response_.set_offset(next_offset_);
  response_.set_data(file_->data() + next_offset_, static_cast<size_t>(count));
  response_.set_crc32c(Crc32c(response_.data()));
  next_offset_ += count;
  StartWrite(&response_);
}

void ExportStream::OnWriteDone(bool ok) {
  if (!ok) {
    End(absl::CancelledError("the reader went away"));
  } else if (next_offset_ == static_cast<int64_t>(file_->size())) {
    End(absl::OkStatus());
  } else {
    response_.clear_size_bytes();
    worker_->Post([this] { WriteNextChunk(); });
  }
}

void ExportStream::End(const absl::Status& status) {
  record_.End(status);
  Finish(ToGrpcStatus(status));
}

}  // namespace superpose
