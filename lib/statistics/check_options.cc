#include "lib/statistics/check_options.h"

#include <ATen/ATen.h>

#include <tuple>

#include "lib/base/error.h"
#include "lib/base/status_macros.h"

namespace superpose {
namespace {

absl::Status CheckIds(const at::Tensor& ids, const char* name, int64_t d_sae) {
  if (!ids.defined()) return absl::OkStatus();
  if (ids.dim() != 1 || ids.scalar_type() != at::kLong || !ids.is_cpu()) {
    return InvalidArgument(reason::kConfigInvalid, name, " must be a list of int64 ids on the CPU");
  }
  if (ids.numel() == 0) return FailedPrecondition(reason::kEmptySelection, name, " chooses no feature");
  const auto low = ids.min().item<int64_t>(), high = ids.max().item<int64_t>();
  if (low >= 0 && high < d_sae) return absl::OkStatus();
  return InvalidArgument(reason::kFeatureOutOfRange, name, " has feature ", low < 0 ? low : high,
                         "; the transcoder has ", d_sae, " features");
}

absl::Status CheckPairIds(const at::Tensor& pair_ids, const at::Tensor& feature_ids) {
  if (!pair_ids.defined()) return absl::OkStatus();
  const at::Tensor distinct = std::get<0>(at::_unique2(pair_ids));
  if (distinct.numel() != pair_ids.numel()) {
    return InvalidArgument(reason::kConfigInvalid, "pair_ids names ", pair_ids.numel() - distinct.numel(),
                           " features more than once");
  }
  if (!feature_ids.defined() || at::isin(pair_ids, feature_ids).all().item<bool>()) return absl::OkStatus();
  const at::Tensor other = pair_ids.masked_select(at::isin(pair_ids, feature_ids).logical_not());
  return InvalidArgument(reason::kConfigInvalid, "pair_ids has feature ", other[0].item<int64_t>(),
                         ", which is not among feature_ids");
}

}  // namespace

absl::Status CheckStatisticsOptions(const StatisticsShape& shape, const StatisticsOptions& options, bool has_midcoder) {
  if (options.gate == GateSource::kMidcoder && !has_midcoder) {
    return InvalidArgument(reason::kConfigInvalid, "gates of a midcoder are asked for and there is no midcoder");
  }
  SUPERPOSE_RETURN_IF_ERROR(CheckIds(options.feature_ids, "feature_ids", shape.d_sae));
  SUPERPOSE_RETURN_IF_ERROR(CheckIds(options.pair_ids, "pair_ids", shape.d_sae));
  return CheckPairIds(options.pair_ids, options.feature_ids);
}

}  // namespace superpose
