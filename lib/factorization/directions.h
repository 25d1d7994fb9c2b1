// Directions: rows that only matter by where they point, such as decoders, predicted decoders or factors.
#pragma once

#include <ATen/core/Tensor.h>

#include "absl/status/statusor.h"

namespace superpose {

// Rows of length 1, row / |row|, worked out in float64 and given as `type` (float32 or float64) on the same device.
// directions: [n, d] of a floating-point type. TENSOR_SHAPE_MISMATCH (not [n, d], d of 0, of another type),
// EMPTY_SELECTION (n of 0), TENSOR_NOT_FINITE (names the first row that is not finite and says how many are not),
// CONFIG_INVALID (the same of rows of length 0, which point nowhere). OUT_OF_MEMORY, COMPUTE_FAILED.
absl::StatusOr<at::Tensor> UnitDirections(const at::Tensor& directions, at::ScalarType type);

}  // namespace superpose
