#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace superpose {

// Feature activations z of `rows` tokens over d_sae features as compressed sparse rows: the one form in which
// activations travel. Token r has the entries row_splits[r] .. row_splits[r + 1]. All tensors are contiguous and on one
// device.
struct SparseActivations {
  at::Tensor row_splits;   // int64 [rows + 1], starts with 0, never decreases
  at::Tensor feature_ids;  // int32 [entries], ascending within a row
  at::Tensor values;       // float32 [entries], > 0
  int64_t d_sae = 0;

  int64_t rows() const { return row_splits.numel() - 1; }
  int64_t entries() const { return feature_ids.numel(); }
};

}  // namespace superpose
