// What a row of logits says of its token, of logits that come by tiles of columns: those of the whole vocabulary never
// exist at once. Sums run in double against a running maximum.
#pragma once

#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>

#include <cstdint>

namespace superpose {

// Cross-entropy of each row's target. Functions throw c10::Error for other tensors than they say.
class LogitSums {
 public:
  // targets: int64 [rows], columns; on the logits' device.
  explicit LogitSums(const at::Tensor& targets);

  // logits float32 [rows, n], contiguous: the columns from `first` on. Columns may come in any order, each once.
  void Add(const at::Tensor& logits, int64_t first);

  // Of all columns so far, float64 [rows]: log of the sum of e^logit, and that less the target's logit.
  at::Tensor LogSum() const;
  at::Tensor Losses() const { return LogSum() - target_logits_; }

 private:
  at::Tensor targets_;        // int64 [rows]
  at::Tensor target_logits_;  // float64 [rows]
  at::Tensor largest_;        // float32 [rows]
  at::Tensor sums_;           // float64 [rows], of e^(logit - largest)
};

// KL(softmax of reference || softmax of other) of each row.
class DivergenceSums {
 public:
  DivergenceSums(int64_t rows, at::Device device);

  // The same columns of both, float32 [rows, n], contiguous.
  void Add(const at::Tensor& reference, const at::Tensor& other);

  // Float64 [rows], given the log-sums over the same columns.
  at::Tensor Divergences(const at::Tensor& reference_log_sum, const at::Tensor& other_log_sum) const;

 private:
  at::Tensor largest_;  // float32 [rows], of reference
  at::Tensor sums_;     // float64 [rows], of e^(reference - largest) (reference - other)
};

}  // namespace superpose
