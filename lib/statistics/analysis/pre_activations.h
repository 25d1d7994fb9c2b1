// Moments of pre-activations over all tokens beside W_in^T W_in (PreActivationsAnalysis).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "absl/status/statusor.h"
#include "lib/statistics/analysis/analysis.h"
#include "lib/statistics/analysis/row_blocks.h"
#include "lib/statistics/analysis/unit_slice.h"

namespace superpose {

// Units where the query names none: as many of the first as there are.
inline constexpr int64_t kDefaultPreActivationUnits = 100;

struct PreActivationsQuery {
  std::optional<UnitSlice> units = std::nullopt;
};

// In blocks of rows, by `unit_entries` of the matrices. SNAPSHOT_TENSOR_MISSING, SNAPSHOT_MISMATCH (of another width
// than the model's), SLICE_OUT_OF_RANGE, EMPTY_SELECTION.
absl::StatusOr<std::unique_ptr<Analysis>> MakePreActivations(const AnalysisInputs& inputs,
                                                             const PreActivationsQuery& query,
                                                             int64_t unit_entries = kUnitEntries);

}  // namespace superpose
