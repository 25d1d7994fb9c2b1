#include "lib/tensor_io/mapped_tensor.h"

#include <ATen/ATen.h>

#include <cstring>

namespace superpose {
namespace {

// Bytes from the first element to the end of the last.
size_t SpanBytes(const std::vector<int64_t>& sizes, const std::vector<int64_t>& strides, size_t element_size) {
  int64_t last = 0;
  for (size_t i = 0; i < sizes.size(); ++i) {
    if (sizes[i] == 0) return 0;
    last += (sizes[i] - 1) * strides[i];
  }
  return static_cast<size_t>(last + 1) * element_size;
}

}  // namespace

at::Tensor TensorOverFile(const std::shared_ptr<const MappedFile>& file, size_t offset, at::ScalarType type,
                          const std::vector<int64_t>& sizes, const std::vector<int64_t>& strides) {
  size_t element_size = c10::elementSize(type);
  size_t bytes = SpanBytes(sizes, strides, element_size);
  if (bytes == 0) return at::empty_strided(sizes, strides, at::TensorOptions(type));
  const uint8_t* data = file->data() + offset;
  if (reinterpret_cast<uintptr_t>(data) % element_size == 0) {
    auto keep_alive = [file](void*) {};
    return at::from_blob(const_cast<uint8_t*>(data), sizes, strides, keep_alive, at::TensorOptions(type));
  }
  at::Tensor copy = at::empty_strided(sizes, strides, at::TensorOptions(type));
  std::memcpy(copy.data_ptr(), data, bytes);
  return copy;
}

std::vector<int64_t> ContiguousStrides(const std::vector<int64_t>& sizes) {
  std::vector<int64_t> strides(sizes.size(), 1);
  for (size_t i = sizes.size(); i-- > 1;) strides[i - 1] = strides[i] * std::max<int64_t>(sizes[i], 1);
  return strides;
}

int64_t ElementCount(const std::vector<int64_t>& sizes) {
  int64_t count = 1;
  bool overflow = false;
  bool empty = false;
  for (int64_t size : sizes) {
    if (size < 0) return -1;
    empty = empty || size == 0;
    overflow = overflow || __builtin_mul_overflow(count, std::max<int64_t>(size, 1), &count);
  }
  if (overflow) return -1;
  return empty ? 0 : count;
}

}  // namespace superpose
