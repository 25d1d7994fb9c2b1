// Quantities of pairs of features from what was counted of them.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "lib/statistics/snapshot_data.h"

namespace superpose {

// Their formulas stand in analysis.proto.
enum class PairQuantity { kJoint, kConditional, kPhi, kNotebookCorrelation, kLift, kPmi, kJaccard, kCosine };

// What is known of each feature by itself, float64 [k].
struct PairMargins {
  at::Tensor counts;
  at::Tensor sq_sums;
};

// Of the snapshot's rows (int64 [k]). SNAPSHOT_TENSOR_MISSING.
absl::StatusOr<PairMargins> MarginsOf(const SnapshotData& snapshot, const at::Tensor& rows);

// CONFIG_INVALID where it is negative.
absl::Status CheckMinCount(int64_t min_count);

// float64 [n, m] of pairs [n, m]: NaN where not defined, or where either feature was active for fewer tokens than
// min_count.
at::Tensor PairValues(PairQuantity quantity, const PairRows& pairs, const PairMargins& rows, const PairMargins& columns,
                      int64_t tokens, int64_t min_count);

// SnapshotData::Pairs of features that are known to be there. Throws where memory does not suffice.
PairRows PairsOrThrow(const SnapshotData& snapshot, const at::Tensor& feature_ids);

}  // namespace superpose
