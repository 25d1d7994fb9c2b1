#pragma once

#include "absl/status/statusor.h"
#include "server/analysis/analysis_sources.h"
#include "server/analysis/opened_analysis.h"
#include "superpose/v1/analysis.pb.h"

namespace superpose {

// A question to a snapshot; defaults are filled in. The errors of SnapshotInputs::Open and MakeAnalysis.
absl::StatusOr<OpenedAnalysis> OpenSnapshotQuestion(const AnalysisSources& sources, v1::AnalysisSpec* spec);

}  // namespace superpose
