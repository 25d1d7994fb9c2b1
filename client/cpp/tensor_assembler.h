// Puts the chunks of ReadTensor together, over several streams where one broke.
#pragma once

#include <cstdint>

#include "absl/status/status.h"
#include "client/cpp/tensor.h"
#include "superpose/v1/tensor.pb.h"

namespace superpose::client {

class TensorAssembler {
 public:
  // To call before the first chunk of every stream: that one says what the tensor is.
  void BeginStream() { first_of_stream_ = true; }

  // Takes the next chunk. DATA_LOSS when its checksum or its place is wrong, FAILED_PRECONDITION / INPUT_CHANGED when a
  // later stream reads another tensor than the first; what was taken before stays.
  absl::Status Add(const v1::TensorChunk& chunk);

  // Where the next stream begins.
  int64_t received() const { return static_cast<int64_t>(tensor_.bytes.size()); }
  bool complete() const { return known_ && received() == total_; }

  Tensor Take() { return std::move(tensor_); }

 private:
  absl::Status Describe(const v1::TensorChunk& chunk);

  Tensor tensor_;
  bool first_of_stream_ = true;
  bool known_ = false;
  int64_t total_ = 0;
};

}  // namespace superpose::client
