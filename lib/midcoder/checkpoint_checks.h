// What restoring a checkpoint checks before it changes anything.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "lib/tensor_io/safetensors.h"

namespace superpose {

// The shortest text that reads back as the same number.
std::string ExactText(double value);

// FILE_UNSUPPORTED unless metadata's "format" is this one.
absl::Status CheckCheckpointFormat(const StringMap& metadata, const std::string& format);
// INPUT_CHANGED names the first entry of `expected` that is another in `metadata`, or a setting ("config.") that only
// the checkpoint has.
absl::Status CheckSameInputs(const StringMap& expected, const StringMap& metadata);
// A count, 0 or more, of the metadata; FILE_CORRUPT.
absl::StatusOr<int64_t> ReadCount(const StringMap& metadata, const std::string& key);
// TENSOR_MISSING, TENSOR_SHAPE_MISMATCH (shape or dtype), TENSOR_NOT_FINITE. May throw what LibTorch throws.
absl::Status CheckCheckpointTensor(const TensorMap& tensors, const std::string& name, at::ScalarType dtype,
                                   at::IntArrayRef shape);

}  // namespace superpose
