// What is asked of the eigenvalues of a thresholded Gram matrix C (thresholded_gram.h), and how they are found.
//
// All of them, or k where n is small: a dense n x n in float64 by LAPACK's eigh, in one unit that takes long (n = 2,000
// about a second, n = 10,000 minutes) and cannot be interrupted. The top k of a large n: block Lanczos with thick
// restarts and full orthogonalisation (Wu, Simon: Thick-Restart Lanczos Method for Large Symmetric Eigenvalue Problems;
// Stewart: A Krylov-Schur Algorithm), C applied tile by tile and never held.
#pragma once

#include <ATen/core/ScalarType.h>

#include <cstdint>

#include "absl/status/status.h"
#include "lib/factorization/gram_tiles.h"
#include "lib/statistics/analysis/row_blocks.h"

namespace superpose {

// Directions up to which a dense matrix is worked out.
struct EigenLimits {
  int64_t all = 10'000;  // where all eigenvalues are asked for, or a good part of them
  int64_t top = 2'000;   // where a few are
};
// Rows of a matrix up to which LAPACK's eigh takes less than 50 ms.
inline constexpr int64_t kMostShortEigh = 500;
// Where LAPACK's workspace would exceed its 32-bit sizes.
inline constexpr int64_t kMostDenseDirections = 30'000;

struct EigenQuery {
  double theta = 0.5;
  int64_t k = 0;              // eigenvalues wanted; 0: all; more than n: n
  bool by_magnitude = false;  // the largest |l| first (an SVD); else the largest l first
  // Of the top k of a large n: a pair (l, q) has converged when |C q - l q| <= tolerance * max |l|.
  double tolerance = 1e-6;
  int64_t max_iterations = 200;
  uint64_t seed = 0;  // of the start
  EigenLimits limits = {};
  GramTiling tiling = {};
};

enum class EigenMethod { kDense, kLanczos };

// CONFIG_INVALID: theta, a negative k, a tolerance not in 0 .. 1, max_iterations under 1, and all eigenvalues of more
// than limits.all directions.
absl::Status CheckEigenQuery(const EigenQuery& query, int64_t directions);
// Of a query that is valid.
EigenMethod MethodOf(const EigenQuery& query, int64_t directions);
int64_t WantedPairs(const EigenQuery& query, int64_t directions);
// C's entries: float64 for dense matrices, for Lanczos as the directions are.
at::ScalarType GramType(EigenMethod method, at::ScalarType directions);

// Vectors that Lanczos holds: a block of b goes through C at once; of a basis that is full k + b stay.
struct LanczosShape {
  int64_t block = 0;
  int64_t basis = 0;
};
LanczosShape ShapeOfLanczos(int64_t directions, int64_t k);
// Entries of the k + b Ritz vectors in parts of which each is a unit's work.
RowBlocks RitzBlocks(int64_t directions, int64_t k);

}  // namespace superpose
