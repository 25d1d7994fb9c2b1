#pragma once

#include <cstdint>
#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "lib/factorization/factorization_run.h"
#include "lib/tensor_io/safetensors.h"
#include "server/analysis/direction_reader.h"
#include "server/analysis/direction_rows.h"
#include "server/jobs/checkpoint_files.h"
#include "server/jobs/job_parts.h"
#include "server/jobs/job_work.h"

namespace superpose {

// Factorizes the decoders of a job. Goes on from the newest checkpoint in the job's folder, as TrainingWork does; of
// what is measured at the end there are none: that begins anew.
class FactorizationWork final : public JobWork {
 public:
  static absl::StatusOr<std::unique_ptr<JobWork>> Create(const v1::Job& job, const JobParts& parts);

  absl::StatusOr<bool> RunSlice(const Budget& budget) override;
  bool AtBoundary() const override { return run_ != nullptr && run_->at_boundary(); }
  WorkReport Report() const override;
  absl::StatusOr<bool> WriteCheckpoint(const KeepWriting& keep_writing) override;
  absl::StatusOr<v1::Job> Finish(const KeepWriting& keep_writing) override;

 private:
  FactorizationWork(const v1::Job& job, const JobParts& parts, std::unique_ptr<DirectionReader> reader);
  const v1::FactorizationSpec& spec() const { return job_.factorize_decoders(); }
  // Reads directions; true once all are read.
  absl::StatusOr<bool> ReadOn(const Budget& budget);
  absl::Status StartRun();
  absl::StatusOr<v1::Factorization> Describe() const;
  absl::StatusOr<TensorMap> Tensors() const;

  const v1::Job job_;
  const JobParts parts_;
  const CheckpointFiles checkpoints_;
  std::unique_ptr<DirectionReader> reader_;  // null once all directions are read
  int64_t units_read_ = 0;
  DirectionRows directions_;               // from then on, without the rows
  std::unique_ptr<FactorizationRun> run_;  // null until then
  int64_t written_steps_ = 0;              // of the newest checkpoint
};

}  // namespace superpose
