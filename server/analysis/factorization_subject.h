#pragma once

#include "absl/status/statusor.h"
#include "server/analysis/analysis_sources.h"
#include "server/analysis/opened_analysis.h"
#include "superpose/v1/analysis.pb.h"

namespace superpose {

// A question to a stored factorization, whose model need not be loaded; defaults are filled in. CONFIG_INVALID when the
// spec names a snapshot; the errors of StoredFactorization::Open, factor_questions.h and MakeFactorMatch.
absl::StatusOr<OpenedAnalysis> OpenFactorizationQuestion(const AnalysisSources& sources, v1::AnalysisSpec* spec);

}  // namespace superpose
