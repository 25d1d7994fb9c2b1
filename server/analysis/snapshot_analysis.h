#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "absl/status/statusor.h"
#include "lib/midcoder/midcoder.h"
#include "lib/statistics/analysis/analysis.h"
#include "lib/statistics/snapshot_data.h"
#include "lib/tensor_io/safetensors.h"
#include "server/jobs/snapshot_store.h"
#include "server/runtime/model_registry.h"
#include "superpose/v1/analysis.pb.h"

namespace superpose {

// One question to a stored snapshot, with all that it needs: the snapshot stays mapped and the model loaded for as long
// as this lives. Open blocks on disk; RunUnit is for the device's thread.
class SnapshotAnalysis {
 public:
  // SNAPSHOT_NOT_FOUND, those of the registry, SNAPSHOT_MISMATCH when the model or the transcoder that is loaded is not
  // the one that the snapshot was made with, and those of MakeAnalysis.
  static absl::StatusOr<std::unique_ptr<SnapshotAnalysis>> Open(v1::AnalysisSpec spec, const ModelRegistry& registry,
                                                                SnapshotStore* snapshots);

  // With every default filled in.
  const v1::AnalysisSpec& spec() const { return spec_; }
  // Whether it is a job's work: more than about two seconds, or 4 MiB of answer.
  bool TakesLong() const;
  int64_t units() const { return analysis_->units(); }
  int64_t units_done() const { return units_done_; }
  int64_t result_bytes() const { return analysis_->result_bytes(); }

  // Runs the next unit; true when it was the last. COMPUTE_FAILED, OUT_OF_MEMORY.
  absl::StatusOr<bool> RunUnit();
  // After the last unit, once: the answer, its tensors without their bytes, and those tensors.
  struct Answer {
    v1::AnalysisResult result;
    TensorMap tensors;
  };
  absl::StatusOr<Answer> Take();

 private:
  SnapshotAnalysis(v1::AnalysisSpec spec, v1::Snapshot snapshot, ModelAndTranscoder loaded)
      : spec_(std::move(spec)), snapshot_(std::move(snapshot)), loaded_(std::move(loaded)) {}
  absl::Status Prepare(TensorMap tensors);

  v1::AnalysisSpec spec_;
  const v1::Snapshot snapshot_;
  const ModelAndTranscoder loaded_;
  std::optional<SnapshotData> data_;
  std::optional<Midcoder> midcoder_;
  std::unique_ptr<Analysis> analysis_;
  int64_t units_done_ = 0;
};

// Puts the tensors' bytes into the result.
void Inline(const TensorMap& tensors, v1::AnalysisResult* result);

}  // namespace superpose
