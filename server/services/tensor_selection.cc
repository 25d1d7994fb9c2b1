#include "server/services/tensor_selection.h"

#include <algorithm>
#include <cstring>
#include <numeric>

#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "server/runtime/reasons.h"

namespace superpose {
namespace {

// Repeated indices can ask for more than any tensor has.
constexpr int64_t kMostElements = int64_t{1} << 40;

absl::Status OutOfRange(int64_t dimension, int64_t size, int64_t index) {
  return InvalidArgument(reason::kSliceOutOfRange, "dimension ", dimension, " has size ", size, ": ", index,
                         " is outside");
}

// The chosen indices of one dimension.
absl::StatusOr<std::vector<int64_t>> IndicesOf(const v1::DimensionSlice& slice, int64_t dimension, int64_t size) {
  if (slice.has_indices()) {
    for (int64_t index : slice.indices().values()) {
      if (index < 0 || index >= size) return OutOfRange(dimension, size, index);
    }
    return std::vector<int64_t>(slice.indices().values().begin(), slice.indices().values().end());
  }
  int64_t start = slice.has_range() ? slice.range().start() : 0;
  int64_t stop = slice.has_range() ? slice.range().stop() : size;
  if (start < 0 || start > size) return OutOfRange(dimension, size, start);
  if (stop < start || stop > size) return OutOfRange(dimension, size, stop);
  std::vector<int64_t> indices(stop - start);
  std::iota(indices.begin(), indices.end(), start);
  return indices;
}

}  // namespace

absl::StatusOr<TensorSelection> TensorSelection::Create(
    at::Tensor tensor, const google::protobuf::RepeatedPtrField<v1::DimensionSlice>& slices) {
  if (slices.size() > tensor.dim()) {
    return InvalidArgument(reason::kSliceOutOfRange, "the tensor has ", tensor.dim(), " dimensions but ", slices.size(),
                           " slices were given");
  }
  TensorSelection selection;
  selection.element_size_ = tensor.element_size();
  for (int64_t dimension = 0; dimension < tensor.dim(); ++dimension) {
    v1::DimensionSlice whole;
    const v1::DimensionSlice& slice = dimension < slices.size() ? slices.Get(static_cast<int>(dimension)) : whole;
    SUPERPOSE_ASSIGN_OR_RETURN(std::vector<int64_t> indices, IndicesOf(slice, dimension, tensor.size(dimension)));
    if (__builtin_mul_overflow(selection.elements_, static_cast<int64_t>(indices.size()), &selection.elements_) ||
        selection.elements_ > kMostElements) {
      return InvalidArgument(reason::kSliceOutOfRange, "the slices choose more than ", kMostElements, " elements");
    }
    if (dimension + 1 < tensor.dim()) {
      selection.indices_.push_back(std::move(indices));
      continue;
    }
    selection.row_length_ = static_cast<int64_t>(indices.size());
    selection.first_column_ = indices.empty() ? 0 : indices.front();
    bool contiguous = !slice.has_indices() && tensor.stride(dimension) == 1;
    if (!contiguous) selection.columns_ = std::move(indices);
  }
  selection.tensor_ = std::move(tensor);
  return selection;
}

std::vector<int64_t> TensorSelection::shape() const {
  std::vector<int64_t> shape;
  for (const auto& indices : indices_) shape.push_back(static_cast<int64_t>(indices.size()));
  if (tensor_.dim() > 0) shape.push_back(row_length_);
  return shape;
}

const char* TensorSelection::RowStart(int64_t row) const {
  int64_t position = 0;
  for (int64_t dimension = static_cast<int64_t>(indices_.size()) - 1; dimension >= 0; --dimension) {
    int64_t size = static_cast<int64_t>(indices_[dimension].size());
    position += indices_[dimension][row % size] * tensor_.stride(dimension);
    row /= size;
  }
  return static_cast<const char*>(tensor_.data_ptr()) + position * element_size_;
}

std::string TensorSelection::Copy(int64_t offset, int64_t size) const {
  std::string bytes(size, '\0');
  int64_t next = offset / element_size_;
  char* out = bytes.data();
  for (int64_t left = size / element_size_; left > 0;) {
    const char* row = RowStart(next / row_length_);
    int64_t column = next % row_length_;
    int64_t count = std::min(left, row_length_ - column);
    if (columns_.empty()) {
      std::memcpy(out, row + (first_column_ + column) * element_size_, count * element_size_);
    } else {
      int64_t stride = tensor_.stride(-1) * element_size_;
      for (int64_t i = 0; i < count; ++i)
        std::memcpy(out + i * element_size_, row + columns_[column + i] * stride, element_size_);
    }
    out += count * element_size_;
    next += count;
    left -= count;
  }
  return bytes;
}

}  // namespace superpose
