#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "lib/base/mapped_file.h"

namespace superpose {

// A CPU tensor over bytes of a mapped file, which it keeps alive. Bytes that are not aligned for their type are copied. The caller has
// checked that sizes and strides stay inside the file.
at::Tensor TensorOverFile(const std::shared_ptr<const MappedFile>& file, size_t offset, at::ScalarType type,
                          const std::vector<int64_t>& sizes, const std::vector<int64_t>& strides);

// The strides of a contiguous tensor.
std::vector<int64_t> ContiguousStrides(const std::vector<int64_t>& sizes);

// Number of elements; -1 when a size is negative or the product does not fit.
int64_t ElementCount(const std::vector<int64_t>& sizes);

}  // namespace superpose
