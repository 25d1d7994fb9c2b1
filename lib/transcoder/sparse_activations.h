#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

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

// These may throw what LibTorch throws: call them inside CatchTorch.

// Keeps, in every row, the k entries of largest value (ties: the lower feature id); none when k is 0 or less.
SparseActivations KeepTopK(const SparseActivations& activations, int64_t k);

// Keeps the entries of the chosen features: int64 ids from 0 to below d_sae, in any order.
SparseActivations KeepFeatures(const SparseActivations& activations, const at::Tensor& feature_ids);

// One below the other, at least one part; all with the same d_sae and on one device.
SparseActivations ConcatenateRows(const std::vector<SparseActivations>& parts);

// One beside the other, at least one part; all with the same rows, on the CPU. Features of a part are numbered on from
// those before it.
SparseActivations ConcatenateColumns(const std::vector<SparseActivations>& parts);

// Activations of which rows are cut out again and again: where rows begin is read from their device once.
class RowSlices {
 public:
  RowSlices() = default;
  explicit RowSlices(SparseActivations activations);

  const SparseActivations& activations() const { return activations_; }
  // Rows [begin, end), 0 <= begin <= end <= rows().
  SparseActivations Slice(int64_t begin, int64_t end) const;

 private:
  SparseActivations activations_;
  at::Tensor host_splits_;  // int64 [rows + 1] on the CPU
};

// Rows [begin, end) of activations that are cut once.
SparseActivations SliceRows(const SparseActivations& activations, int64_t begin, int64_t end);

}  // namespace superpose
