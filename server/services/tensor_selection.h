// Which bytes of a tensor a read asks for, and copying any stretch of them.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "superpose/v1/tensor_service.pb.h"

namespace superpose {

// A selection of a CPU tensor by ranges and index lists, one a dimension. Keeps the tensor alive; any thread may use
// it.
class TensorSelection {
 public:
  // SLICE_OUT_OF_RANGE when there are more slices than dimensions or one leaves its dimension.
  static absl::StatusOr<TensorSelection> Create(at::Tensor tensor,
                                                const google::protobuf::RepeatedPtrField<v1::DimensionSlice>& slices);

  const at::Tensor& tensor() const { return tensor_; }
  std::vector<int64_t> shape() const;
  int64_t bytes() const { return elements_ * element_size_; }
  int64_t element_size() const { return element_size_; }
  // Bytes [offset, offset + size) of the selection in row-major order; both are multiples of element_size().
  std::string Copy(int64_t offset, int64_t size) const;

 private:
  TensorSelection() = default;
  const char* RowStart(int64_t row) const;

  at::Tensor tensor_;
  std::vector<std::vector<int64_t>> indices_;  // of every dimension but the last
  std::vector<int64_t> columns_;               // of the last dimension; empty when it is the range below
  int64_t first_column_ = 0;
  int64_t row_length_ = 1;  // selected elements of the last dimension
  int64_t elements_ = 1;
  int64_t element_size_ = 1;
};

}  // namespace superpose
