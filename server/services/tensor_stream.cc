#include "server/services/tensor_stream.h"

#include <algorithm>
#include <utility>

#include "lib/base/error.h"
#include "proto/crc32c.h"
#include "server/runtime/descriptors.h"
#include "server/runtime/reasons.h"
#include "server/services/grpc_status.h"

namespace superpose {
namespace {

constexpr int64_t kChunkBytes = int64_t{1} << 20;

absl::Status CheckOffset(const TensorSelection& selection, int64_t offset) {
  if (offset >= 0 && offset <= selection.bytes() && offset % selection.element_size() == 0) return absl::OkStatus();
  return InvalidArgument(reason::kSliceOutOfRange, "start_offset is ", offset, ": it must be in 0 .. ",
                         selection.bytes(), " and a multiple of ", selection.element_size());
}

}  // namespace

TensorStream::TensorStream(grpc::CallbackServerContext* context, Metrics* metrics, Worker* worker)
    : worker_(worker), record_(metrics, "ReadTensor", UserOf(*context)) {}

void TensorStream::Start(absl::StatusOr<TensorSelection> selection, int64_t offset) {
  absl::Status status = selection.ok() ? CheckOffset(*selection, offset) : selection.status();
  if (!status.ok()) {
    End(status);
    return;
  }
  selection_ = *std::move(selection);
  next_offset_ = offset;
  v1::TensorChunk* first = response_.mutable_chunk();
  first->set_data_type(DataTypeOf(selection_->tensor()));
  for (const int64_t size : selection_->shape()) first->add_shape(size);
  WriteNextChunk();
}

void TensorStream::WriteNextChunk() {
  v1::TensorChunk* chunk = response_.mutable_chunk();
  const int64_t size = std::min(kChunkBytes, selection_->bytes() - next_offset_);
  chunk->set_offset(next_offset_);
  chunk->set_data(selection_->Copy(next_offset_, size));
  chunk->set_crc32c(Crc32c(chunk->data()));
  next_offset_ += size;
  StartWrite(&response_);
}

void TensorStream::OnWriteDone(bool ok) {
  if (!ok) {
    End(absl::CancelledError("the reader went away"));
  } else if (next_offset_ == selection_->bytes()) {
    End(absl::OkStatus());
  } else {
    response_.mutable_chunk()->clear_data_type();
    response_.mutable_chunk()->clear_shape();
    worker_->Post([this] { WriteNextChunk(); });
  }
}

void TensorStream::End(const absl::Status& status) {
  record_.End(status);
  Finish(ToGrpcStatus(status));
}

}  // namespace superpose
