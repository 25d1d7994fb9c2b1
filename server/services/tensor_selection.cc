#include "server/services/tensor_selection.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "lib/base/torch_guard.h"
#include "server/runtime/reasons.h"
#include "server/runtime/reserved_tensor.h"

namespace superpose {
namespace {

// Repeated indices can ask for more than any tensor has.
constexpr int64_t kMostElements = int64_t{1} << 40;

// Of one dimension, which are kept until all is read.
constexpr int kMostIndices = 1 << 20;

absl::Status OutOfRange(int64_t dimension, int64_t size, int64_t index) {
  return InvalidArgument(reason::kSliceOutOfRange, "dimension ", dimension, " has size ", size, ": ", index,
                         " is outside");
}

}  // namespace

absl::StatusOr<TensorSelection::Chosen> TensorSelection::ChosenOf(const v1::DimensionSlice& slice, int64_t dimension,
                                                                  int64_t size) {
  Chosen chosen;
  if (slice.has_indices()) {
    if (slice.indices().values_size() > kMostIndices) {
      return InvalidArgument(reason::kSliceOutOfRange, "dimension ", dimension, ": ", slice.indices().values_size(),
                             " indices, over ", kMostIndices, ": read a range, or in several calls");
    }
    for (const int64_t index : slice.indices().values()) {
      if (index < 0 || index >= size) return OutOfRange(dimension, size, index);
    }
    chosen.is_range = false;
    chosen.size = slice.indices().values_size();
    chosen.indices.assign(slice.indices().values().begin(), slice.indices().values().end());
    return chosen;
  }
  const int64_t stop = slice.has_range() ? slice.range().stop() : size;
  chosen.start = slice.has_range() ? slice.range().start() : 0;
  if (chosen.start < 0 || chosen.start > size) return OutOfRange(dimension, size, chosen.start);
  if (stop < chosen.start || stop > size) return OutOfRange(dimension, size, stop);
  chosen.size = stop - chosen.start;
  return chosen;
}

absl::StatusOr<TensorSelection> TensorSelection::Create(at::Tensor tensor, const DimensionSlices& slices) {
  if (slices.size() > tensor.dim()) {
    return InvalidArgument(reason::kSliceOutOfRange, "the tensor has ", tensor.dim(), " dimensions but ", slices.size(),
                           " slices were given");
  }
  TensorSelection selection;
  selection.element_size_ = tensor.element_size();
  selection.columns_.size = 1;
  for (int64_t dimension = 0; dimension < tensor.dim(); ++dimension) {
    v1::DimensionSlice whole;
    const v1::DimensionSlice& slice = dimension < slices.size() ? slices.Get(static_cast<int>(dimension)) : whole;
    SUPERPOSE_ASSIGN_OR_RETURN(Chosen chosen, ChosenOf(slice, dimension, tensor.size(dimension)));
    if (__builtin_mul_overflow(selection.elements_, chosen.size, &selection.elements_) ||
        selection.elements_ > kMostElements) {
      return InvalidArgument(reason::kSliceOutOfRange, "the slices choose more than ", kMostElements, " elements");
    }
    if (dimension + 1 < tensor.dim()) {
      selection.rows_.push_back(std::move(chosen));
    } else {
      selection.columns_ = std::move(chosen);
    }
  }
  selection.tensor_ = std::move(tensor);
  return selection;
}

std::vector<int64_t> TensorSelection::shape() const {
  std::vector<int64_t> shape;
  for (const Chosen& chosen : rows_) shape.push_back(chosen.size);
  if (tensor_.dim() > 0) shape.push_back(columns_.size);
  return shape;
}

const char* TensorSelection::RowStart(int64_t row) const {
  int64_t position = 0;
  for (int64_t dimension = static_cast<int64_t>(rows_.size()) - 1; dimension >= 0; --dimension) {
    const Chosen& chosen = rows_[dimension];
    position += chosen.At(row % chosen.size) * tensor_.stride(dimension);
    row /= chosen.size;
  }
  return static_cast<const char*>(tensor_.data_ptr()) + position * element_size_;
}

std::string TensorSelection::Copy(int64_t offset, int64_t size) const {
  const int64_t stride = tensor_.dim() == 0 ? 1 : tensor_.stride(-1);
  std::string bytes(size, '\0');
  int64_t next = offset / element_size_;
  char* out = bytes.data();
  for (int64_t left = size / element_size_; left > 0;) {
    const char* row = RowStart(next / columns_.size);
    const int64_t column = next % columns_.size;
    const int64_t count = std::min(left, columns_.size - column);
    if (columns_.is_range && stride == 1) {
      std::memcpy(out, row + columns_.At(column) * element_size_, count * element_size_);
    } else {
      for (int64_t i = 0; i < count; ++i)
        std::memcpy(out + i * element_size_, row + columns_.At(column + i) * stride * element_size_, element_size_);
    }
    out += count * element_size_;
    next += count;
    left -= count;
  }
  return bytes;
}

absl::StatusOr<at::Tensor> SelectToCpu(const at::Tensor& tensor, const DimensionSlices& slices, MemoryBudget* budget) {
  SUPERPOSE_ASSIGN_OR_RETURN(const TensorSelection selection, TensorSelection::Create(tensor, slices));
  SUPERPOSE_ASSIGN_OR_RETURN(
      MemoryReservation memory,
      budget->Reserve(MemoryUse::kRequest, selection.bytes(), "keeping what is read of this tensor",
                      "read it in smaller parts, one after the other"));
  return CatchTorch([&]() -> absl::StatusOr<at::Tensor> {
    at::Tensor selected = tensor;
    for (int dimension = 0; dimension < slices.size(); ++dimension) {
      const v1::DimensionSlice& slice = slices.Get(dimension);
      if (slice.has_range()) {
        selected = selected.slice(dimension, slice.range().start(), slice.range().stop());
      } else if (slice.has_indices()) {
        const std::vector<int64_t> indices(slice.indices().values().begin(), slice.indices().values().end());
        selected = selected.index_select(dimension, at::tensor(indices, at::kLong).to(tensor.device()));
      }
    }
    return WithReservation(selected.contiguous().cpu(), std::move(memory));
  });
}

}  // namespace superpose
