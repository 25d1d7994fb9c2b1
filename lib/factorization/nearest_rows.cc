#include "lib/factorization/nearest_rows.h"

#include <ATen/ATen.h>

#include <cmath>

#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "lib/base/torch_guard.h"
#include "lib/factorization/directions.h"
#include "lib/factorization/thresholded_gram.h"
#include "lib/statistics/analysis/ranking.h"

namespace superpose {

absl::StatusOr<NearestRowsResult> NearestRows(const at::Tensor& rows, const at::Tensor& direction, int64_t k,
                                              double above) {
  if (k < 1) return InvalidArgument(reason::kConfigInvalid, "k is ", k, ", but must be 1 or more");
  SUPERPOSE_RETURN_IF_ERROR(CheckTheta(above));
  return CatchTorch([&]() -> absl::StatusOr<NearestRowsResult> {
    const at::Tensor row = direction.defined() && direction.dim() == 1 ? direction.unsqueeze(0) : at::Tensor();
    SUPERPOSE_ASSIGN_OR_RETURN(const at::Tensor own, UnitDirections(row, at::kDouble));
    SUPERPOSE_ASSIGN_OR_RETURN(const at::Tensor units, UnitDirections(rows, at::kDouble));
    if (own.size(1) != units.size(1)) {
      return InvalidArgument(reason::kTensorShapeMismatch, "the direction has ", own.size(1), " numbers, and the rows ",
                             units.size(1));
    }
    const at::Tensor cosines = at::mv(units, own[0].to(units.device())).clamp_(-1, 1).cpu(), sizes = cosines.abs();
    NearestRowsResult result;
    result.rows = LargestIndices(sizes.masked_fill(sizes.le(above), std::nan("")), k);
    result.cosines = cosines.index_select(0, result.rows);
    return result;
  });
}

}  // namespace superpose
