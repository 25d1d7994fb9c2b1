// Which bytes of a tensor a read asks for, and copying any stretch of them.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "server/runtime/memory_budget.h"
#include "superpose/v1/tensor_service.pb.h"

namespace superpose {

using DimensionSlices = google::protobuf::RepeatedPtrField<v1::DimensionSlice>;

// A selection of a CPU tensor by ranges and index lists, one a dimension. Keeps the tensor alive; any thread may use
// it.
class TensorSelection {
 public:
  // SLICE_OUT_OF_RANGE when there are more slices than dimensions, one leaves its dimension or has over a million
  // indices.
  static absl::StatusOr<TensorSelection> Create(at::Tensor tensor, const DimensionSlices& slices);

  const at::Tensor& tensor() const { return tensor_; }
  std::vector<int64_t> shape() const;
  int64_t bytes() const { return elements_ * element_size_; }
  int64_t element_size() const { return element_size_; }
  // Bytes [offset, offset + size) of the selection in row-major order; both are multiples of element_size().
  std::string Copy(int64_t offset, int64_t size) const;

 private:
  // What is read of one dimension: a range, which takes no memory however long it is, or chosen indices.
  struct Chosen {
    int64_t start = 0;
    int64_t size = 0;
    bool is_range = true;
    std::vector<int64_t> indices;

    int64_t At(int64_t i) const { return is_range ? start + i : indices[i]; }
  };

  TensorSelection() = default;
  static absl::StatusOr<Chosen> ChosenOf(const v1::DimensionSlice& slice, int64_t dimension, int64_t size);
  const char* RowStart(int64_t row) const;

  at::Tensor tensor_;
  std::vector<Chosen> rows_;  // of every dimension but the last
  Chosen columns_;            // of the last dimension; the one element of a tensor without dimensions
  int64_t elements_ = 1;
  int64_t element_size_ = 1;
};

// The selection of a tensor on any device as a contiguous tensor on the CPU, whose bytes are reserved as long as it is
// held. Errors: those of TensorSelection::Create, and of LibTorch; MEMORY_EXCEEDED.
absl::StatusOr<at::Tensor> SelectToCpu(const at::Tensor& tensor, const DimensionSlices& slices, MemoryBudget* budget);

}  // namespace superpose
