#pragma once

#include <ATen/core/Tensor.h>

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace superpose {

// Reads a NumPy .npy file (format versions 1 to 3, little-endian, C order; see numpy.lib.format). The tensor aliases
// the mapped file. uint16, uint32 and uint64 keep their dtype. Errors: FILE_NOT_FOUND, FILE_CORRUPT, FILE_UNSUPPORTED
// (object arrays, Fortran order of more than one dimension, big-endian).
absl::StatusOr<at::Tensor> ReadNpy(const std::string& path);

absl::Status WriteNpy(const std::string& path, const at::Tensor& tensor);

}  // namespace superpose
