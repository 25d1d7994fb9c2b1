#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>

#include "absl/status/statusor.h"
#include "lib/factorization/gram_tiles.h"
#include "lib/statistics/analysis/analysis.h"

namespace superpose {

// Directions up to which the whole matrix is given.
inline constexpr int64_t kMostGramValues = 10'000;

struct GramValuesQuery {
  double theta = 0.5;
  bool values = false;
  GramTiling tiling = {};
};

// The thresholded Gram matrix C of directions (thresholded_gram.h). Tensors: neighbors int64 [n], entries of a row off
// the diagonal that are not 0; neighbor_sum float64 [n], their sum; values float32 [n, n] where asked for. Figures:
// nonzeros, of all of C. CONFIG_INVALID (theta; values of more than kMostGramValues), the errors of UnitDirections.
absl::StatusOr<std::unique_ptr<Analysis>> MakeGramValues(const at::Tensor& directions, const GramValuesQuery& query);

// The errors of MakeGramValues of n directions that do not depend on what they are.
absl::Status CheckGramValuesQuery(const GramValuesQuery& query, int64_t directions);
// Its units and the bytes of its answer, of directions [n, d].
int64_t GramValuesUnits(int64_t directions, int64_t d, const GramValuesQuery& query);
int64_t GramValuesBytes(int64_t directions, const GramValuesQuery& query);

}  // namespace superpose
