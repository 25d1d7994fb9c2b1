#include "lib/factorization/eigen_solver.h"

#include <ATen/ATen.h>

#include <utility>

#include "lib/base/status_macros.h"
#include "lib/factorization/dense_eigenpairs.h"
#include "lib/factorization/top_eigenpairs.h"
#include "lib/statistics/analysis/ranking.h"

namespace superpose {

absl::StatusOr<std::shared_ptr<const ThresholdedGram>> MakeGram(const at::Tensor& directions, const EigenQuery& query) {
  const bool is_matrix = directions.defined() && directions.dim() == 2;
  const int64_t size = is_matrix ? directions.size(0) : 0;
  SUPERPOSE_RETURN_IF_ERROR(CheckEigenQuery(query, size));
  const at::ScalarType type = is_matrix ? directions.scalar_type() : at::kFloat;
  return ThresholdedGram::Create(directions, query.theta, GramType(MethodOf(query, size), type));
}

std::unique_ptr<EigenSolver> MakeEigenSolver(std::shared_ptr<const ThresholdedGram> gram, const EigenQuery& query,
                                             bool with_vectors) {
  if (MethodOf(query, gram->size()) == EigenMethod::kDense) {
    return std::make_unique<DenseEigenpairs>(std::move(gram), query, with_vectors);
  }
  return std::make_unique<TopEigenpairs>(std::move(gram), query, with_vectors);
}

int64_t EigenUnits(int64_t directions, int64_t d, const EigenQuery& query) {
  if (MethodOf(query, directions) == EigenMethod::kDense) {
    return DenseEigenpairs::TilesOf(directions, d, query).units() + 1;
  }
  return TopEigenpairs::UnitsOf(directions, d, query);
}

at::Tensor OrderOfEigenvalues(const at::Tensor& values, bool by_magnitude, int64_t k) {
  return LargestIndices(by_magnitude ? values.abs() : values, k);
}

void MakeLargestPositive(at::Tensor& rows) {
  if (rows.numel() == 0) return;
  const at::Tensor where = rows.abs().argmax(1, /*keepdim=*/true);
  rows.mul_(rows.gather(1, where).sign());
}

}  // namespace superpose
