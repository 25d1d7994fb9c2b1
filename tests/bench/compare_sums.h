// Whether ours and the reference count the same.
#pragma once

#include "absl/status/statusor.h"
#include "lib/statistics/statistics_options.h"
#include "lib/tensor_io/safetensors.h"

namespace superpose {

// Largest |ours - theirs| / |theirs| (Euclidean, by tensor) that passes.
struct SumsTolerance {
  double counts = 0;
  double sums = 1e-5;
  double gates = 1e-5;     // sums of gates and of mid
  double gate_counts = 0;  // the same, counts
};

// Compares a snapshot's tensors, of all features, with the reference's, of its feat_ids. Returns the largest
// difference; INTERNAL names a tensor that does not pass.
absl::StatusOr<double> CompareSums(const TensorMap& ours, const StatisticsShape& shape, const TensorMap& theirs,
                                   const SumsTolerance& tolerance);

}  // namespace superpose
