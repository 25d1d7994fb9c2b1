#pragma once

#include <cstdint>

#include "absl/status/statusor.h"
#include "server/analysis/analysis_sources.h"
#include "server/analysis/opened_analysis.h"
#include "superpose/v1/analysis.pb.h"

namespace superpose {

// A question to directions, which its first units read; defaults are filled in. CONFIG_INVALID when the spec names a
// snapshot itself; the errors of DirectionReader::Open, and of MakeGramValues, MakeSpectrum and MakeWhitening but for
// those that depend on what the directions are.
absl::StatusOr<OpenedAnalysis> OpenDirectionQuestion(const AnalysisSources& sources, v1::AnalysisSpec* spec);

// What the same takes in memory, without working the directions out. The errors of ResolveDirections.
absl::StatusOr<int64_t> EstimateDirectionQuestion(const AnalysisSources& sources, v1::AnalysisSpec spec);

}  // namespace superpose
