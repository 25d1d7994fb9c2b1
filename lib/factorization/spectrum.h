// Eigenvalues and singular values of a thresholded Gram matrix C of directions.
//
// C is symmetric: with C = Q L Q^T its singular value decomposition is C = U S V^T with S = |L|, U = Q and
// V = Q sign(L). So a column of U divided by the same of V, as the notebook does, is sign(l): +1, or -1 where C, which
// need not be positive once cosines were cut, has a negative eigenvalue.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>

#include "absl/status/statusor.h"
#include "lib/base/memory_estimate.h"
#include "lib/factorization/eigen_query.h"
#include "lib/statistics/analysis/analysis.h"

namespace superpose {

struct SpectrumQuery {
  EigenQuery eigen = {};
  bool vectors = false;
};

// Tensors eigenvalue float64 [k] in the query's order, singular_value float64 [k] = |l| (falling only where the query's
// order is by magnitude), sign float64 [k] (0 where |l| is no larger than rounding), of Lanczos residual float64 [k],
// with vectors U and V, float32 [n, k]; V is U in columns whose sign is 0. Figures: eigen_summary.h. `undefined` counts
// the signs of 0. Fewer than k, none of them converged, only where max_iterations did not suffice to find so many; what
// has not converged says so by its residual. directions: [n, d], floating point. The errors of CheckEigenQuery and
// UnitDirections.
// Numbers are the same each time on a CPU with the same number of threads. units() falls once Lanczos has converged.
absl::StatusOr<std::unique_ptr<Analysis>> MakeSpectrum(const at::Tensor& directions, const SpectrumQuery& query);

// Beyond the directions themselves. `type`: theirs. held_bytes: of the answer.
MemoryEstimate EstimateSpectrum(int64_t directions, int64_t d, at::ScalarType type, const SpectrumQuery& query);

}  // namespace superpose
