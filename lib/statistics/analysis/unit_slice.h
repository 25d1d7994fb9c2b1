// Which hidden units of a layer a question is about.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace superpose {

struct UnitRange {
  int64_t start = 0;
  int64_t stop = 0;
};

// All, units start .. stop - 1, or indices in their order, duplicates allowed.
using UnitSlice = std::variant<std::monostate, UnitRange, std::vector<int64_t>>;

// SLICE_OUT_OF_RANGE unless 0 .. d_mlp - 1.
absl::Status CheckUnit(int64_t unit, int64_t d_mlp);

// int64 [k] on the CPU. SLICE_OUT_OF_RANGE, EMPTY_SELECTION.
absl::StatusOr<at::Tensor> SelectUnits(const UnitSlice& slice, int64_t d_mlp);

}  // namespace superpose
