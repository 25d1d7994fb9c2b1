#pragma once

#include <string>

#include "lib/statistics/statistics_options.h"

namespace superpose {

// One line that two options share exactly when they collect the same: groups, gate, and the features by the hash of
// their ids.
std::string IdentityOf(const StatisticsOptions& options);

}  // namespace superpose
