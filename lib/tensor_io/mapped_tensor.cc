#include "lib/tensor_io/mapped_tensor.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cstring>

namespace superpose {
namespace {

std::vector<int64_t> ContiguousStrides(const std::vector<int64_t>& sizes) {
  std::vector<int64_t> strides(sizes.size(), 1);
  for (size_t i = sizes.size(); i-- > 1;) strides[i - 1] = strides[i] * std::max<int64_t>(sizes[i], 1);
  return strides;
}

}  // namespace

at::Storage StorageOverFile(const std::shared_ptr<const MappedFile>& file, size_t offset, size_t bytes,
                            size_t alignment) {
  const uint8_t* data = file->data() + offset;
  int64_t size = static_cast<int64_t>(bytes);
  if (bytes > 0 && reinterpret_cast<uintptr_t>(data) % alignment == 0) {
    auto keep_alive = [file](void*) {};
    return at::from_blob(const_cast<uint8_t*>(data), {size}, keep_alive, at::TensorOptions(at::kByte)).storage();
  }
  at::Tensor copy = at::empty({size}, at::TensorOptions(at::kByte));
  if (bytes > 0) std::memcpy(copy.data_ptr(), data, bytes);
  return copy.storage();
}

at::Tensor TensorOfStorage(const at::Storage& storage, at::ScalarType type, int64_t offset,
                           const std::vector<int64_t>& sizes, const std::vector<int64_t>& strides) {
  return at::empty({0}, at::TensorOptions(type)).set_(storage, offset, sizes, strides);
}

at::Tensor TensorOverFile(const std::shared_ptr<const MappedFile>& file, size_t offset, at::ScalarType type,
                          const std::vector<int64_t>& sizes) {
  size_t bytes = static_cast<size_t>(ByteCount(sizes, type));
  at::Storage storage = StorageOverFile(file, offset, bytes, c10::elementSize(type));
  return TensorOfStorage(storage, type, 0, sizes, ContiguousStrides(sizes));
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

int64_t ByteCount(const std::vector<int64_t>& sizes, at::ScalarType type) {
  int64_t bytes = 0;
  int64_t count = ElementCount(sizes);
  bool overflow = __builtin_mul_overflow(count, static_cast<int64_t>(c10::elementSize(type)), &bytes);
  return overflow || count < 0 ? -1 : bytes;
}

}  // namespace superpose
