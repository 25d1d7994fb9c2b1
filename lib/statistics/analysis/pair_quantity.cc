#include "lib/statistics/analysis/pair_quantity.h"

#include <ATen/ATen.h>

#include <cmath>
#include <new>
#include <utility>

#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "lib/base/torch_guard.h"

namespace superpose {
namespace {

at::Tensor Divide(const at::Tensor& over, const at::Tensor& under) {
  return at::where(under.gt(0), over / under, std::nan(""));
}

// Frequencies f_i [n, 1], f_j [1, m] and f_ij [n, m].
struct Frequencies {
  at::Tensor i;
  at::Tensor j;
  at::Tensor ij;
};

at::Tensor Values(PairQuantity quantity, const Frequencies& f, const PairRows& pairs, const PairMargins& rows,
                  const PairMargins& columns) {
  switch (quantity) {
    case PairQuantity::kJoint:
      return f.ij;
    case PairQuantity::kConditional:
      return Divide(f.ij, f.i);
    case PairQuantity::kPhi:
      return Divide(f.ij - f.i * f.j, (f.i * (1 - f.i) * (f.j * (1 - f.j))).sqrt());
    case PairQuantity::kNotebookCorrelation:
      return Divide(f.ij - f.i * f.j, (f.i * (1 - f.i) * f.j).sqrt());
    case PairQuantity::kLift:
      return Divide(f.ij, f.i * f.j);
    case PairQuantity::kPmi:
      return Divide(f.ij, f.i * f.j).log();
    case PairQuantity::kJaccard:
      return Divide(f.ij, f.i + f.j - f.ij);
    case PairQuantity::kCosine:
      return Divide(pairs.sums, rows.sq_sums.sqrt().unsqueeze(1) * columns.sq_sums.sqrt().unsqueeze(0));
  }
  return f.ij;
}

}  // namespace

absl::StatusOr<PairMargins> MarginsOf(const SnapshotData& snapshot, const at::Tensor& rows) {
  return CatchTorch([&]() -> absl::StatusOr<PairMargins> {
    SUPERPOSE_ASSIGN_OR_RETURN(const at::Tensor sq_sums, snapshot.Tensor("act_sq_sum"));
    return PairMargins{snapshot.ActCounts().index_select(0, rows).to(at::kDouble),
                       sq_sums.index_select(0, rows).to(at::kDouble)};
  });
}

absl::Status CheckMinCount(int64_t min_count) {
  if (min_count >= 0) return absl::OkStatus();
  return InvalidArgument(reason::kConfigInvalid, "min_count is ", min_count, ", but must be 0 or more");
}

at::Tensor PairValues(PairQuantity quantity, const PairRows& pairs, const PairMargins& rows, const PairMargins& columns,
                      int64_t tokens, int64_t min_count) {
  const auto n = static_cast<double>(tokens);
  const at::Tensor i = rows.counts.unsqueeze(1);
  const at::Tensor j = columns.counts.unsqueeze(0);
  const Frequencies f = {i / n, j / n, pairs.counts.to(at::kDouble) / n};
  const auto least = static_cast<double>(min_count);
  return Values(quantity, f, pairs, rows, columns).masked_fill_(i.lt(least).logical_or(j.lt(least)), std::nan(""));
}

PairRows PairsOrThrow(const SnapshotData& snapshot, const at::Tensor& feature_ids) {
  absl::StatusOr<PairRows> pairs = snapshot.Pairs(feature_ids);
  if (ReasonOf(pairs.status()) == reason::kOutOfMemory) throw std::bad_alloc();
  TORCH_CHECK(pairs.ok(), pairs.status().ToString());
  return *std::move(pairs);
}

}  // namespace superpose
