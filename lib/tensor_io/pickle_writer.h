#pragma once

#include <ATen/core/Tensor.h>

#include <string>

#include "absl/status/statusor.h"
#include "lib/tensor_io/pytorch_writer.h"

namespace superpose {

// The pickle (protocol 2, as torch.save writes) of a checkpoint whose tensors have the storages "0", "1" .. in the
// order in which they come. FILE_UNSUPPORTED for an element type that has no storage class.
absl::StatusOr<std::string> PickleCheckpoint(const CheckpointDict& content);

}  // namespace superpose
