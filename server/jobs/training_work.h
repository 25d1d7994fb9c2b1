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
#include "server/jobs/snapshot_schedule.h"
#include "server/runtime/job_handles.h"

namespace superpose {

// Trains the midcoders of a job. Goes on from the newest checkpoint in the job's folder; one that is damaged is passed
// over, one of other inputs fails the job with INPUT_CHANGED, and so does, with its own reason, all else that keeps it
// from being read: the checkpoints stay.
class TrainingWork final : public JobWork {
 public:
  static absl::StatusOr<std::unique_ptr<JobWork>> Create(const v1::Job& job, const JobParts& parts);

  absl::StatusOr<bool> RunSlice(const Budget& budget) override;
  bool AtBoundary() const override { return trainer_ != nullptr && trainer_->at_step_boundary(); }
  WorkReport Report() const override;
  absl::StatusOr<bool> WriteCheckpoint(const KeepWriting& keep_writing) override;
  absl::StatusOr<v1::Job> Finish(const KeepWriting& keep_writing) override;
  bool SnapshotIsDue() const override;
  absl::StatusOr<std::vector<TakenStatistics>> TakeStatistics() override;

 private:
  TrainingWork(const v1::Job& job, const JobParts& parts, TrainingHandles handles, TrainerInputs inputs,
               TrainerConfig config);
  const v1::MidcoderTrainingSpec& spec() const { return job_.train_midcoder(); }
  absl::Status StartTrainer();
  std::string PrefixOf(const StepLoss& loss) const;
  absl::Status FlushHistory();
  // The parameters of a midcoder, on the CPU.
  absl::StatusOr<TensorMap> ParametersOf(int64_t index) const;
  absl::StatusOr<TakenStatistics> StatisticsOf(int64_t index) const;
  absl::Status StoreStatistics(int64_t index, const v1::Midcoder& midcoder, const KeepWriting& keep_writing);
  absl::StatusOr<v1::Midcoder> StoreMidcoder(int64_t index, const std::vector<StepLoss>& history,
                                             const KeepWriting& keep_writing);

  const v1::Job job_;
  const JobParts parts_;
  const CheckpointFiles checkpoints_;
  HistoryFile history_;
  const TrainingHandles handles_;
  const TrainerInputs inputs_;
  const TrainerConfig config_;
  std::unique_ptr<MidcoderTrainer> trainer_;  // null until the first slice
  int64_t flushed_step_ = 0;                  // of the history file
  int64_t first_step_ = 0;                    // of this run
  absl::Time start_;
  SnapshotSchedule schedule_;
  std::vector<StepLoss> newest_losses_;  // one a midcoder
};

}  // namespace superpose
