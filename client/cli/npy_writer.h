// NumPy's .npy format, version 1.0.
#pragma once

#include <ostream>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/cpp/tensor.h"

namespace superpose::cli {

// Magic, version, length and header, padded to a multiple of 64 bytes. UNIMPLEMENTED for a type that NumPy has not.
absl::StatusOr<std::string> NpyHeader(v1::DataType data_type, const std::vector<int64_t>& shape);

// Writes a tensor. bfloat16, which NumPy has not, becomes float32, exactly.
absl::Status WriteNpy(const client::Tensor& tensor, std::ostream* out);
// The same to a file, in the place of one that is there. FAILED_PRECONDITION / FILE_WRITE_FAILED.
absl::Status SaveNpy(const client::Tensor& tensor, const std::string& path);

}  // namespace superpose::cli
