#include "lib/statistics/options_identity.h"

#include <ATen/ATen.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "lib/tensor_io/content_hash.h"

namespace superpose {
namespace {

std::string IdsText(const at::Tensor& ids) {
  if (!ids.defined()) return "all";
  return absl::StrCat(ids.numel(), " of hash ", ContentHash({{"ids", ids.to(at::kLong).contiguous()}}));
}

}  // namespace

std::string IdentityOf(const StatisticsOptions& options) {
  const std::string groups = absl::StrJoin(
      options.groups, ",", [](std::string* out, StatisticsGroup group) { absl::StrAppend(out, NameOf(group)); });
  return absl::StrCat("groups ", groups, "; features ", IdsText(options.feature_ids), "; pairs ",
                      IdsText(options.pair_ids), "; gate ",
                      options.gate == GateSource::kMidcoder ? "midcoder" : "model");
}

}  // namespace superpose
