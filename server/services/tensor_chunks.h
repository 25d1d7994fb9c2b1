#pragma once

#include <cstdint>
#include <utility>

#include "absl/status/statusor.h"
#include "server/services/tensor_selection.h"
#include "superpose/v1/tensor.pb.h"

namespace superpose {

// Cuts what is read of a tensor into chunks of at most 1 MiB, one after the other.
class TensorChunks {
 public:
  // The first byte given is the one at `offset` of the selection: SLICE_OUT_OF_RANGE unless it is in 0 ..
  // selection.bytes() and does not split an element.
  static absl::StatusOr<TensorChunks> Create(TensorSelection selection, int64_t offset);

  // There is at least one chunk, which is empty where nothing is left to read.
  bool done() const { return !first_ && next_offset_ == selection_.bytes(); }
  // Puts the next one in the place of `chunk`; the first says what the tensor is.
  void Next(v1::TensorChunk* chunk);

 private:
  TensorChunks(TensorSelection selection, int64_t offset) : selection_(std::move(selection)), next_offset_(offset) {}

  TensorSelection selection_;
  int64_t next_offset_;
  bool first_ = true;
};

}  // namespace superpose
