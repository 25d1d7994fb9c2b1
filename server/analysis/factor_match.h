#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "lib/statistics/analysis/analysis.h"
#include "server/analysis/factor_questions.h"

namespace superpose {

// Matches the factors of two factorizations (FactorMatchAnalysis), some tiles of cosines in a unit.
// TENSOR_SHAPE_MISMATCH for factors of two widths.
absl::StatusOr<std::unique_ptr<Analysis>> MakeFactorMatch(const FactorizationHandle& stored,
                                                          const FactorizationHandle& other);

}  // namespace superpose
