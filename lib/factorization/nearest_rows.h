#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "absl/status/statusor.h"

namespace superpose {

struct NearestRowsResult {
  at::Tensor rows;     // int64 [r], nearest first, equal ones by index
  at::Tensor cosines;  // float64 [r]
};

// The k of `rows` ([m, d]: the factors, say) that are nearest to a direction ([d]) by |cosine|, of those whose |cosine|
// is above `above`: what form gram calls the factors of a decoder, with its theta. Fewer than k where there are no
// more. The errors of UnitDirections for both; CONFIG_INVALID (k under 1, above not in -1 .. 1: -1 takes all),
// TENSOR_SHAPE_MISMATCH (widths). Takes a few milliseconds for 10,000 rows.
absl::StatusOr<NearestRowsResult> NearestRows(const at::Tensor& rows, const at::Tensor& direction, int64_t k,
                                              double above = -1);

}  // namespace superpose
