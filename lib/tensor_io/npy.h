#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/ScalarType.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "lib/base/mapped_file.h"

namespace superpose {

// Reads a NumPy .npy file (format versions 1 to 3, little-endian, C order; see numpy.lib.format). The tensor aliases
// the mapped file. uint16, uint32 and uint64 keep their dtype. Errors: FILE_NOT_FOUND, FILE_CORRUPT, FILE_UNSUPPORTED
// (object arrays, Fortran order of more than one dimension, big-endian).
absl::StatusOr<at::Tensor> ReadNpy(const std::string& path);

// Where the numbers of a .npy file lie, all inside the file, in C order; they may stand at any alignment.
struct NpyLayout {
  std::shared_ptr<const MappedFile> file;
  size_t data_start = 0;
  at::ScalarType type = at::kByte;
  std::vector<int64_t> sizes;
};

// The same checks, and none of the numbers read or copied.
absl::StatusOr<NpyLayout> OpenNpy(const std::string& path);

absl::Status WriteNpy(const std::string& path, const at::Tensor& tensor);

}  // namespace superpose
