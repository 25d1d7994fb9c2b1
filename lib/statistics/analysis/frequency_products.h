// Frequencies beside the products of the largest of them (FrequencyProductsAnalysis).
#pragma once

#include <cstdint>
#include <memory>

#include "absl/status/statusor.h"
#include "lib/statistics/analysis/analysis.h"
#include "lib/statistics/analysis/feature_selection.h"

namespace superpose {

inline constexpr int64_t kMostTopFrequencies = 2'000;
inline constexpr int64_t kMostProducts = 1'000'000;

struct FrequencyProductsQuery {
  int64_t top = 200;
  int64_t most = 25'000;
  FrequencySource by = FrequencySource::kDefault;
};

// `observed` are the frequencies of all features that the snapshot covers. Fewer products than `most` where there are
// not so many. A unit finds `unit_products` of them. CONFIG_INVALID, errors of Log10Frequencies and SelectFeatures.
absl::StatusOr<std::unique_ptr<Analysis>> MakeFrequencyProducts(const AnalysisInputs& inputs,
                                                                const FrequencyProductsQuery& query,
                                                                int64_t unit_products = int64_t{1} << 17);

}  // namespace superpose
