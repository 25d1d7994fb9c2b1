#include "client/cpp/tensor_assembler.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "client/cpp/errors.h"
#include "client/cpp/status_macros.h"
#include "proto/crc32c.h"

namespace superpose::client {
namespace {

// A shape that lies must not take memory before its bytes have come.
constexpr int64_t kMostReservedBytes = int64_t{1} << 30;

absl::StatusOr<int64_t> SizeInBytes(v1::DataType data_type, const std::vector<int64_t>& shape) {
  int64_t size = ElementSize(data_type);
  if (size == 0)
    return absl::UnimplementedError(absl::StrCat("element type ", static_cast<int>(data_type), " is not known"));
  for (int64_t dimension : shape) {
    if (dimension < 0 || __builtin_mul_overflow(size, dimension, &size)) {
      return absl::DataLossError("the server sent a shape that cannot be");
    }
  }
  return size;
}

}  // namespace

absl::Status TensorAssembler::Describe(const v1::TensorChunk& chunk) {
  std::vector<int64_t> shape(chunk.shape().begin(), chunk.shape().end());
  if (known_) {
    if (chunk.data_type() == tensor_.data_type && shape == tensor_.shape) return absl::OkStatus();
    return MakeError(absl::StatusCode::kFailedPrecondition, "INPUT_CHANGED", "the tensor changed while it was read");
  }
  SUPERPOSE_CLIENT_ASSIGN_OR_RETURN(total_, SizeInBytes(chunk.data_type(), shape));
  tensor_.data_type = chunk.data_type();
  tensor_.shape = std::move(shape);
  tensor_.bytes.reserve(static_cast<size_t>(std::min(total_, kMostReservedBytes)));
  known_ = true;
  return absl::OkStatus();
}

absl::Status TensorAssembler::Add(const v1::TensorChunk& chunk) {
  if (std::exchange(first_of_stream_, false)) SUPERPOSE_CLIENT_RETURN_IF_ERROR(Describe(chunk));
  if (chunk.offset() != received()) {
    return absl::DataLossError(
        absl::StrCat("a chunk begins at byte ", chunk.offset(), " where ", received(), " was next"));
  }
  if (static_cast<int64_t>(chunk.data().size()) > total_ - received()) {
    return absl::DataLossError("the server sent more bytes than the tensor has");
  }
  if (Crc32c(chunk.data()) != chunk.crc32c()) {
    return absl::DataLossError(absl::StrCat("the checksum of the chunk at byte ", chunk.offset(), " is wrong"));
  }
  tensor_.bytes += chunk.data();
  return absl::OkStatus();
}

}  // namespace superpose::client
