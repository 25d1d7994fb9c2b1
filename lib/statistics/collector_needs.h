// Which tensors of a layer the groups that are asked for are sums of.
#pragma once

#include "lib/statistics/statistics_options.h"

namespace superpose {

inline bool NeedsPre(const StatisticsOptions& options) {
  const auto& groups = options.groups;
  return groups.count(StatisticsGroup::kPreActivations) > 0 || groups.count(StatisticsGroup::kUnits) > 0 ||
         (groups.count(StatisticsGroup::kGates) > 0 && options.gate == GateSource::kModel);
}

inline bool NeedsOut(const StatisticsOptions& options) {
  return options.groups.count(StatisticsGroup::kOutputs) > 0 || options.groups.count(StatisticsGroup::kUnits) > 0;
}

inline bool NeedsMid(const StatisticsOptions& options, bool has_midcoder) {
  const auto& groups = options.groups;
  return has_midcoder && (groups.count(StatisticsGroup::kUnits) > 0 ||
                          (groups.count(StatisticsGroup::kGates) > 0 && options.gate == GateSource::kMidcoder));
}

}  // namespace superpose
