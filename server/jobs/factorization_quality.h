#pragma once

#include <optional>

#include "absl/status/statusor.h"
#include "lib/factorization/factorization_quality.h"
#include "superpose/v1/factorization.pb.h"

namespace superpose {

// What factors are worth, in the contract's words. COMPUTE_FAILED, OUT_OF_MEMORY.
absl::StatusOr<v1::FactorizationQuality> DescribeQuality(const FactorizationQuality& quality,
                                                         std::optional<double> stability);

}  // namespace superpose
