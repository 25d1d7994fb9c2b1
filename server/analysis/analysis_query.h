#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "lib/statistics/analysis/analysis.h"
#include "superpose/v1/analysis.pb.h"

namespace superpose {

// The analysis that a spec asks for; the defaults that it takes are filled in. Errors: those of the analysis;
// CONFIG_INVALID when the spec asks for nothing, or for something that this server does not know.
absl::StatusOr<std::unique_ptr<Analysis>> MakeAnalysis(const AnalysisInputs& inputs, v1::AnalysisSpec* spec);

}  // namespace superpose
