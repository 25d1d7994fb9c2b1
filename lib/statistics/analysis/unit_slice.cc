#include "lib/statistics/analysis/unit_slice.h"

#include <ATen/ATen.h>

#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "lib/base/torch_guard.h"

namespace superpose {
namespace {

constexpr absl::string_view kSliceOutOfRangeReason = "SLICE_OUT_OF_RANGE";

absl::Status Empty() { return FailedPrecondition(reason::kEmptySelection, "no hidden units are asked for"); }

absl::StatusOr<at::Tensor> SelectRange(const UnitRange& range, int64_t d_mlp) {
  if (range.start < 0 || range.stop < range.start || range.stop > d_mlp) {
    return InvalidArgument(kSliceOutOfRangeReason, "units ", range.start, " .. ", range.stop, " are not in 0 .. ",
                           d_mlp, ", the layer's hidden units");
  }
  if (range.start == range.stop) return Empty();
  return at::arange(range.start, range.stop, at::kLong);
}

}  // namespace

absl::Status CheckUnit(int64_t unit, int64_t d_mlp) {
  if (unit >= 0 && unit < d_mlp) return absl::OkStatus();
  return InvalidArgument(kSliceOutOfRangeReason, "unit ", unit, " is not in 0 .. ", d_mlp - 1,
                         ", the layer's hidden units");
}

absl::StatusOr<at::Tensor> SelectUnits(const UnitSlice& slice, int64_t d_mlp) {
  return CatchTorch([&]() -> absl::StatusOr<at::Tensor> {
    if (const auto* range = std::get_if<UnitRange>(&slice)) return SelectRange(*range, d_mlp);
    const auto* indices = std::get_if<std::vector<int64_t>>(&slice);
    if (indices == nullptr) return at::arange(d_mlp, at::kLong);
    if (indices->empty()) return Empty();
    for (const int64_t unit : *indices) SUPERPOSE_RETURN_IF_ERROR(CheckUnit(unit, d_mlp));
    return at::tensor(*indices, at::kLong);
  });
}

}  // namespace superpose
