#pragma once

#include "absl/status/statusor.h"
#include "lib/statistics/analysis/feature_selection.h"
#include "superpose/v1/feature.pb.h"

namespace superpose {

// CONFIG_INVALID for a value of an enum that this server does not know.
absl::StatusOr<FeatureSelection> SelectionOf(const v1::FeatureSelector& selector);
absl::StatusOr<FrequencySource> SourceOf(v1::FrequencySource source);

}  // namespace superpose
