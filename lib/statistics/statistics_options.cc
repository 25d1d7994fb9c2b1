#include "lib/statistics/statistics_options.h"

namespace superpose {

absl::string_view NameOf(StatisticsGroup group) {
  switch (group) {
    case StatisticsGroup::kFeatures:
      return "FEATURES";
    case StatisticsGroup::kPairs:
      return "PAIRS";
    case StatisticsGroup::kGates:
      return "GATES";
    case StatisticsGroup::kPreActivations:
      return "PRE_ACTIVATIONS";
    case StatisticsGroup::kOutputs:
      return "OUTPUTS";
    case StatisticsGroup::kUnits:
      return "UNITS";
  }
  return "";
}

}  // namespace superpose
