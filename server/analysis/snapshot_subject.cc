#include "server/analysis/snapshot_subject.h"

#include <memory>

#include "lib/base/status_macros.h"
#include "lib/base/torch_guard.h"
#include "server/analysis/analysis_query.h"
#include "server/analysis/snapshot_inputs.h"

namespace superpose {

absl::StatusOr<OpenedAnalysis> OpenSnapshotQuestion(const AnalysisSources& sources, v1::AnalysisSpec* spec) {
  SUPERPOSE_ASSIGN_OR_RETURN(
      std::shared_ptr<const SnapshotInputs> snapshot,
      SnapshotInputs::Open(spec->snapshot(), /*transcoder=*/"", *sources.registry, sources.snapshots));
  OpenedAnalysis opened;
  opened.provenance = snapshot->facts().provenance();
  opened.tokens = snapshot->facts().tokens();
  SUPERPOSE_ASSIGN_OR_RETURN(opened.analysis, CatchTorch([&] { return MakeAnalysis(snapshot->inputs(), spec); }));
  opened.peak_bytes = opened.analysis->result_bytes();
  opened.subject = std::move(snapshot);
  return opened;
}

}  // namespace superpose
