#pragma once

#include <cstdint>
#include <memory>

#include "absl/status/statusor.h"
#include "lib/base/memory_estimate.h"
#include "lib/tensor_io/safetensors.h"
#include "server/analysis/analysis_sources.h"
#include "server/analysis/opened_analysis.h"
#include "superpose/v1/analysis.pb.h"

namespace superpose {

// One question to what the server holds (a snapshot, directions or a factorization), with all that its answer needs:
// files stay mapped and the model loaded for as long as this lives. Open blocks on disk; RunUnit is for the device's
// thread.
class StoredAnalysis {
 public:
  // CONFIG_INVALID when the spec asks nothing, and the errors of OpenSnapshotQuestion, OpenDirectionQuestion and
  // OpenFactorizationQuestion.
  static absl::StatusOr<std::unique_ptr<StoredAnalysis>> Open(v1::AnalysisSpec spec, const AnalysisSources& sources);

  // With every default filled in.
  const v1::AnalysisSpec& spec() const { return spec_; }
  // Whether it is a job's work: more than about two seconds, or 4 MiB of answer.
  bool TakesLong() const;
  // Falls when an iteration converges before its time, or directions are not defined, never below units_done.
  int64_t units() const;
  int64_t units_done() const { return units_done_; }
  int64_t result_bytes() const;
  // Most that it takes in memory at once, the answer included.
  int64_t peak_bytes() const { return opened_.peak_bytes; }

  // Whether the next unit takes much longer than others: run it where nobody waits for the thread.
  bool NextIsLong() const;

  // Runs the next unit; true when it was the last. COMPUTE_FAILED, OUT_OF_MEMORY; what is wrong with directions
  // (DirectionReader).
  absl::StatusOr<bool> RunUnit();
  // After the last unit, once: the answer, its tensors without their bytes, and those tensors.
  struct Answer {
    v1::AnalysisResult result;
    TensorMap tensors;
  };
  absl::StatusOr<Answer> Take();

 private:
  StoredAnalysis(v1::AnalysisSpec spec, OpenedAnalysis opened)
      : spec_(std::move(spec)),
        opened_(std::move(opened)),
        units_before_(opened_.preparation == nullptr ? 0 : opened_.preparation->units() + 1) {}
  absl::Status Prepare();

  const v1::AnalysisSpec spec_;
  OpenedAnalysis opened_;
  const int64_t units_before_;  // of the preparation
  int64_t units_done_ = 0;
};

// Its peak_bytes without opening it where that would work out directions. The spec has every default filled in. Errors
// when what it names is not there any more. Blocks on disk.
absl::StatusOr<MemoryEstimate> EstimateAnalysis(const v1::AnalysisSpec& spec, const AnalysisSources& sources);

// Puts the tensors' bytes into the result.
void Inline(const TensorMap& tensors, v1::AnalysisResult* result);

}  // namespace superpose
