#pragma once

#include "absl/status/status.h"
#include "lib/tensor_io/safetensors.h"
#include "superpose/v1/factorization.pb.h"

namespace superpose {

// That a file's tensors are those of the factorization that its description tells of, for questions trust them: types
// and shapes (factorization.proto; all but factors and parameter may be missing), factors and directions of length 1,
// the parameter's rows along the factors, indices in range, nothing NaN or infinite. TENSOR_MISSING,
// TENSOR_SHAPE_MISMATCH, TENSOR_NOT_FINITE, FILE_UNSUPPORTED (another type, a tensor that no factorization has),
// CONFIG_INVALID (a factor of another length than 1, or of another direction than its parameter), FILE_CORRUPT. May
// throw what LibTorch throws.
absl::Status CheckFactorizationTensors(const v1::Factorization& factorization, const TensorMap& tensors);

}  // namespace superpose
