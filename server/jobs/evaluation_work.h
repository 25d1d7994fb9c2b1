#pragma once

#include <memory>

#include "lib/midcoder/evaluator.h"
#include "server/jobs/job_parts.h"
#include "server/jobs/job_work.h"
#include "server/runtime/job_handles.h"

namespace superpose {

// Evaluates a midcoder. It writes no checkpoints: after a restart it begins again, and gives the same figures.
class EvaluationWork final : public JobWork {
 public:
  static absl::StatusOr<std::unique_ptr<JobWork>> Create(const v1::Job& job, const JobParts& parts);

  absl::StatusOr<bool> RunSlice(const Budget& budget) override;
  bool AtBoundary() const override { return true; }
  WorkReport Report() const override;
  absl::StatusOr<bool> WriteCheckpoint(const KeepWriting& /*keep_writing*/) override { return false; }
  absl::StatusOr<v1::Job> Finish(const KeepWriting& keep_writing) override;

 private:
  EvaluationWork(const v1::Job& job, const JobParts& parts, v1::Midcoder midcoder, SafetensorsFile weights,
                 EvaluationHandles handles, EvaluatorInputs inputs);
  const v1::MidcoderEvaluationSpec& spec() const { return job_.evaluate_midcoder(); }
  absl::Status StartEvaluator();

  const v1::Job job_;
  const JobParts parts_;
  const v1::Midcoder midcoder_;
  const SafetensorsFile weights_;
  const EvaluationHandles handles_;
  EvaluatorInputs inputs_;
  std::unique_ptr<MidcoderEvaluator> evaluator_;  // null until the first slice
};

}  // namespace superpose
