// Reading PyTorch checkpoints (torch.save, zip format) without running anything that they contain.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "lib/tensor_io/pickle_value.h"
#include "lib/tensor_io/safetensors.h"

namespace superpose {

// Tensors alias the mapped file, strides and shared storages kept; classes other than the containers, tensors and
// parameters that PyTorch itself writes become inert PickleRecord values: nothing is imported or called. Errors:
// FILE_NOT_FOUND, FILE_CORRUPT (truncated, offsets outside the file ..), FILE_UNSUPPORTED (compressed entries, an
// opcode or element type that no checkpoint needs, big-endian data, tensors that repeat their bytes until they come to
// over four times the file and 64 MiB).
absl::StatusOr<PickleDocument> ReadPytorchFile(const std::string& path);

// Every tensor of a mapping (a state dict), by key. FILE_UNSUPPORTED when `value` is no mapping of strings to tensors.
absl::StatusOr<TensorMap> TensorsOf(const PickleValue& value);

}  // namespace superpose
