#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "lib/midcoder/trainer.h"
#include "server/jobs/checkpoint_files.h"
#include "server/jobs/history_file.h"
#include "server/jobs/job_parts.h"
#include "server/jobs/job_work.h"

namespace superpose {

// Trains the midcoders of a job. Goes on from the newest checkpoint in the job's folder that can be read; one that is
// damaged is passed over, one of other inputs fails the job with INPUT_CHANGED.
class TrainingWork final : public JobWork {
 public:
  static absl::StatusOr<std::unique_ptr<JobWork>> Create(const v1::Job& job, const JobParts& parts);

  absl::StatusOr<bool> RunSlice(const Budget& budget) override;
  bool AtBoundary() const override { return trainer_ != nullptr && trainer_->at_step_boundary(); }
  WorkReport Report() const override;
  absl::Status WriteCheckpoint() override;
  absl::StatusOr<v1::Job> Finish() override;

 private:
  TrainingWork(const v1::Job& job, const JobParts& parts, TrainerInputs inputs, TrainerConfig config);
  const v1::MidcoderTrainingSpec& spec() const { return job_.train_midcoder(); }
  absl::Status StartTrainer();
  absl::Status ResumeFrom(const std::string& path);
  absl::Status FlushHistory();
  absl::StatusOr<v1::Midcoder> StoreMidcoder(int64_t index, const std::vector<StepLoss>& history);

  const v1::Job job_;
  const JobParts parts_;
  const CheckpointFiles checkpoints_;
  HistoryFile history_;
  TrainerInputs inputs_;
  TrainerConfig config_;
  std::unique_ptr<MidcoderTrainer> trainer_;  // null until the first slice
  int64_t flushed_step_ = 0;                  // of the history file
  int64_t first_step_ = 0;                    // of this run
  absl::Time start_;
  std::vector<StepLoss> newest_losses_;  // one a layer
};

}  // namespace superpose
