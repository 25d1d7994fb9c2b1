#include "lib/factorization/eigen_summary.h"

#include <ATen/ATen.h>

namespace superpose {

at::Tensor SignsOfEigenvalues(const Eigenpairs& pairs) {
  return pairs.values.sign().masked_fill_(pairs.values.abs().le(pairs.rounding), 0);
}

std::map<std::string, double> SummaryOf(const Eigenpairs& pairs, int64_t directions, double theta) {
  const at::Tensor signs = SignsOfEigenvalues(pairs);
  const at::Tensor positive = signs.gt(0), negative = signs.lt(0);
  const auto count = [](const at::Tensor& mask) { return static_cast<double>(mask.sum().item<int64_t>()); };
  const auto mass = [&](const at::Tensor& mask) { return pairs.values.masked_select(mask).abs().sum().item<double>(); };
  return {{"directions", static_cast<double>(directions)},
          {"theta", theta},
          {"nonzeros", static_cast<double>(pairs.nonzeros)},
          {"positive_count", count(positive)},
          {"positive_mass", mass(positive)},
          {"negative_count", count(negative)},
          {"negative_mass", mass(negative)},
          {"zero_count", count(signs.eq(0))},
          {"converged", static_cast<double>(pairs.converged)},
          {"iterations", static_cast<double>(pairs.iterations)}};
}

}  // namespace superpose
