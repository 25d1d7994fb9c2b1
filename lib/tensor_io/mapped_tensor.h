#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "lib/base/mapped_file.h"

namespace superpose {

// CPU memory over `bytes` of a mapped file, which it keeps alive and which nobody may write to. Where the file's bytes
// are not at a multiple of `alignment` they are copied. The caller has checked that they lie inside the file.
at::Storage StorageOverFile(const std::shared_ptr<const MappedFile>& file, size_t offset, size_t bytes,
                            size_t alignment);

// The view of a storage with this element type, offset (in elements), sizes and strides, all checked by the caller.
at::Tensor TensorOfStorage(const at::Storage& storage, at::ScalarType type, int64_t offset,
                           const std::vector<int64_t>& sizes, const std::vector<int64_t>& strides);

// A contiguous tensor over bytes of a mapped file.
at::Tensor TensorOverFile(const std::shared_ptr<const MappedFile>& file, size_t offset, at::ScalarType type,
                          const std::vector<int64_t>& sizes);

// Number of elements; -1 when a size is negative or the product does not fit.
int64_t ElementCount(const std::vector<int64_t>& sizes);

// Number of bytes; -1 when a size is negative or the product does not fit.
int64_t ByteCount(const std::vector<int64_t>& sizes, at::ScalarType type);

}  // namespace superpose
