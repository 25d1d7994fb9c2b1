#include "lib/factorization/directions.h"

#include <ATen/ATen.h>

#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "lib/base/torch_guard.h"
#include "lib/statistics/analysis/row_blocks.h"

namespace superpose {
namespace {

absl::Status CheckShape(const at::Tensor& directions) {
  if (!directions.defined() || directions.dim() != 2 || directions.size(1) == 0 || !directions.is_floating_point()) {
    return InvalidArgument(reason::kTensorShapeMismatch,
                           "directions must be a matrix of floating-point numbers, a row ", "for each");
  }
  if (directions.size(0) > 0) return absl::OkStatus();
  return FailedPrecondition(reason::kEmptySelection, "there are no directions");
}

// The longest entry of each row: float64 [n] on the CPU; NaN where a row holds one.
at::Tensor LargestEntries(const at::Tensor& directions) {
  at::Tensor largest = at::empty({directions.size(0)}, at::kDouble);
  const RowBlocks blocks(directions.size(0), directions.size(1), kUnitEntries);
  for (int64_t block = 0; block < blocks.count(); ++block) {
    const int64_t start = blocks.start(block), length = blocks.length(block);
    largest.narrow(0, start, length).copy_(directions.narrow(0, start, length).to(at::kDouble).abs().amax(1));
  }
  return largest;
}

absl::Status CheckEntries(const at::Tensor& largest) {
  const at::Tensor bad = largest.isfinite().logical_not().nonzero();
  if (bad.size(0) > 0) {
    return InvalidArgument(reason::kTensorNotFinite, "direction ", bad[0][0].item<int64_t>(),
                           " holds NaN or infinity (", bad.size(0), " of ", largest.numel(),
                           " do): leave out those that are not defined");
  }
  const at::Tensor zero = largest.eq(0).nonzero();
  if (zero.size(0) == 0) return absl::OkStatus();
  return InvalidArgument(reason::kConfigInvalid, "direction ", zero[0][0].item<int64_t>(), " has length 0 (",
                         zero.size(0), " of ", largest.numel(), " have), and points nowhere: leave such ones out");
}

}  // namespace

absl::StatusOr<at::Tensor> UnitDirections(const at::Tensor& directions, at::ScalarType type) {
  SUPERPOSE_RETURN_IF_ERROR(CheckShape(directions));
  return CatchTorch([&]() -> absl::StatusOr<at::Tensor> {
    const at::Tensor largest = LargestEntries(directions);
    SUPERPOSE_RETURN_IF_ERROR(CheckEntries(largest));
    at::Tensor units = at::empty(directions.sizes(), directions.options().dtype(type));
    const RowBlocks blocks(directions.size(0), directions.size(1), kUnitEntries);
    for (int64_t block = 0; block < blocks.count(); ++block) {
      const int64_t start = blocks.start(block), length = blocks.length(block);
      // Scaled first, so that no square overflows or vanishes.
      const at::Tensor scale = largest.narrow(0, start, length).unsqueeze(1).to(directions.device());
      at::Tensor rows = directions.narrow(0, start, length).to(at::kDouble) / scale;
      rows.div_(rows.norm(2, at::IntArrayRef{1}, /*keepdim=*/true));
      units.narrow(0, start, length).copy_(rows);
    }
    return units;
  });
}

}  // namespace superpose
