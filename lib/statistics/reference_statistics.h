#pragma once

#include "absl/status/statusor.h"
#include "lib/tensor_io/safetensors.h"

namespace superpose {

// A snapshot's sums as the reference's files have them: under its names, in float32, pairs as squares, feat_ids always
// there. Sums that the reference does not know, and parameters, are left out. FAILED_PRECONDITION / FILE_UNSUPPORTED
// where pairs are of other features than the rest, or of so many that their squares would take over 4 GiB.
absl::StatusOr<TensorMap> ReferenceStatistics(const TensorMap& snapshot);

}  // namespace superpose
