#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <map>
#include <string>

#include "lib/factorization/eigen_solver.h"

namespace superpose {

// sign(l), float64 [k] on the CPU; 0 where |l| is no larger than rounding, and so has no sign.
at::Tensor SignsOfEigenvalues(const Eigenpairs& pairs);

// Figures of the eigenvalues that were worked out (of a part where a part was asked for): directions, theta, nonzeros
// (entries of C), positive_count, positive_mass (sum of l), negative_count, negative_mass (sum of |l|), zero_count (no
// larger than rounding), converged, iterations (0 for a dense matrix).
std::map<std::string, double> SummaryOf(const Eigenpairs& pairs, int64_t directions, double theta);

}  // namespace superpose
