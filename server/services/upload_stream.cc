#include "server/services/upload_stream.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "proto/crc32c.h"
#include "server/runtime/reasons.h"
#include "server/services/grpc_status.h"

namespace superpose {
namespace {

constexpr size_t kMostPieceBytes = size_t{1} << 20;

absl::Status CheckPiece(const v1::WriteUploadRequest& piece) {
  if (piece.data().size() > kMostPieceBytes) {
    return ResourceExhausted(reason::kRequestTooLarge, "a piece of ", piece.data().size(), " bytes: send at most ",
                             kMostPieceBytes, " at a time");
  }
  const uint32_t checksum = Crc32c(piece.data());
  if (piece.crc32c() == checksum) return absl::OkStatus();
  return Error(absl::StatusCode::kDataLoss, reason::kUploadCorrupt,
               absl::StrCat("the piece at byte ", piece.offset(), " has CRC-32C ", checksum, ", not ", piece.crc32c(),
                            ": send it again"));
}

}  // namespace

UploadStream::UploadStream(grpc::CallbackServerContext* context, v1::WriteUploadResponse* response, Metrics* metrics,
                           Worker* worker, UploadStore* store)
    : context_(context),
      response_(response),
      worker_(worker),
      store_(store),
      record_(metrics, "WriteUpload", UserOf(*context)) {}

void UploadStream::Start(const absl::Status& admitted) {
  if (admitted.ok()) {
    StartRead(&piece_);
  } else {
    End(admitted);
  }
}

void UploadStream::OnReadDone(bool ok) {
  worker_->Post([this, ok] { ok ? TakePiece() : TakeEnd(); });
}

void UploadStream::TakePiece() {
  if (writer_ != nullptr) {
    WritePiece();
    return;
  }
  const absl::Status begun = Begin();
  if (begun.ok()) {
    CatchUp();
  } else {
    End(begun);
  }
}

absl::Status UploadStream::Begin() {
  SUPERPOSE_ASSIGN_OR_RETURN(writer_, store_->Write(piece_.name(), piece_.size_bytes(), piece_.offset()));
  return absl::OkStatus();
}

void UploadStream::CatchUp() {
  const absl::StatusOr<bool> done = writer_->CatchUp();
  if (!done.ok()) {
    End(done.status());
  } else if (*done) {
    WritePiece();
  } else {
    worker_->Post([this] { CatchUp(); });  // after others that wait
  }
}

void UploadStream::WritePiece() {
  absl::Status status = CheckPiece(piece_);
  if (status.ok()) status = writer_->Append(piece_.offset(), piece_.data());
  if (status.ok()) {
    StartRead(&piece_);
  } else {
    End(status);
  }
}

void UploadStream::TakeEnd() {
  if (context_->IsCancelled()) {
    End(absl::CancelledError("the writer went away"));
  } else if (writer_ == nullptr) {
    End(InvalidArgument(reason::kEmptyInput, "an upload without a piece: the first names it and its size"));
  } else {
    *response_->mutable_upload() = writer_->upload();
    End(absl::OkStatus());
  }
}

void UploadStream::End(const absl::Status& status) {
  writer_ = nullptr;  // before the client knows, so that its next call can go on
  record_.End(status);
  Finish(ToGrpcStatus(status));
}

}  // namespace superpose
