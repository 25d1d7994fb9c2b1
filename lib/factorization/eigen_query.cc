#include "lib/factorization/eigen_query.h"

#include <algorithm>

#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "lib/factorization/thresholded_gram.h"

namespace superpose {
namespace {

// Multiplications of a unit that makes Ritz vectors, in float64: some 30 ms. Numbers depend on it in their last digits.
constexpr int64_t kRitzProducts = int64_t{1} << 31;

int64_t MostDense(const EigenQuery& query) { return std::min(query.limits.all, kMostDenseDirections); }

}  // namespace

absl::Status CheckEigenQuery(const EigenQuery& query, int64_t directions) {
  SUPERPOSE_RETURN_IF_ERROR(CheckTheta(query.theta));
  if (query.k < 0) return InvalidArgument(reason::kConfigInvalid, "k is ", query.k, ", but must not be negative");
  if (!(query.tolerance > 0 && query.tolerance < 1)) {
    return InvalidArgument(reason::kConfigInvalid, "tolerance is ", query.tolerance, ", but must be between 0 and 1");
  }
  if (query.max_iterations < 1) {
    return InvalidArgument(reason::kConfigInvalid, "max_iterations is ", query.max_iterations,
                           ", but must be 1 or more");
  }
  if (query.k > 0 || directions <= MostDense(query)) return absl::OkStatus();
  return InvalidArgument(reason::kConfigInvalid, "all eigenvalues of ", directions, " directions are asked for, but a ",
                         "dense matrix is worked out for ", MostDense(query),
                         " at most: ask for the top k, or for fewer directions");
}

EigenMethod MethodOf(const EigenQuery& query, int64_t directions) {
  if (query.k == 0 || directions <= std::min(query.limits.top, kMostDenseDirections)) return EigenMethod::kDense;
  const bool many = query.k >= directions / 4;
  return many && directions <= MostDense(query) ? EigenMethod::kDense : EigenMethod::kLanczos;
}

int64_t WantedPairs(const EigenQuery& query, int64_t directions) {
  return query.k == 0 ? directions : std::min(query.k, directions);
}

at::ScalarType GramType(EigenMethod method, at::ScalarType directions) {
  return method == EigenMethod::kDense || directions == at::kDouble ? at::kDouble : at::kFloat;
}

LanczosShape ShapeOfLanczos(int64_t directions, int64_t k) {
  const int64_t block = std::min(std::clamp<int64_t>(k, 8, 32), directions);
  return {.block = block, .basis = std::min(k + std::max(k, 6 * block), directions)};
}

RowBlocks RitzBlocks(int64_t directions, int64_t k) {
  const LanczosShape shape = ShapeOfLanczos(directions, k);
  return {directions, 2 * (k + shape.block) * shape.basis, kRitzProducts};
}

}  // namespace superpose
