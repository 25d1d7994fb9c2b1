#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "lib/statistics/collector.h"
#include "lib/tensor_io/safetensors.h"
#include "server/jobs/checkpoint_files.h"
#include "server/jobs/job_parts.h"
#include "server/jobs/job_work.h"
#include "server/jobs/snapshot_schedule.h"
#include "server/runtime/job_handles.h"

namespace superpose {

// The midcoders that a spec names, in its order. Errors: those of MidcoderStore::Get.
absl::StatusOr<std::vector<v1::Midcoder>> MidcodersOf(MidcoderStore* store, const v1::StatisticsSpec& spec);

// A midcoder whose gates are counted.
struct CountedMidcoder {
  v1::Midcoder facts;
  TensorMap weights;  // mapped
};

// Collects the statistics of a job. Goes on from the newest checkpoint in the job's folder, as TrainingWork does.
class StatisticsWork final : public JobWork {
 public:
  static absl::StatusOr<std::unique_ptr<JobWork>> Create(const v1::Job& job, const JobParts& parts);

  absl::StatusOr<bool> RunSlice(const Budget& budget) override;
  bool AtBoundary() const override { return collector_ != nullptr && collector_->at_boundary(); }
  WorkReport Report() const override;
  absl::StatusOr<bool> WriteCheckpoint(const KeepWriting& keep_writing) override;
  absl::StatusOr<v1::Job> Finish(const KeepWriting& keep_writing) override;
  bool SnapshotIsDue() const override;
  absl::StatusOr<std::vector<TakenStatistics>> TakeStatistics() override;

 private:
  StatisticsWork(const v1::Job& job, const JobParts& parts, TrainingHandles handles,
                 std::vector<CountedMidcoder> midcoders, CollectorInputs inputs);
  const v1::StatisticsSpec& spec() const { return job_.collect_statistics(); }
  absl::Status StartCollector();
  absl::Status LoadMidcoders();
  TakenStatistics StatisticsOf(int64_t index) const;

  const v1::Job job_;
  const JobParts parts_;
  const CheckpointFiles checkpoints_;
  const TrainingHandles handles_;
  const std::vector<CountedMidcoder> midcoders_;  // none, or one a transcoder
  CollectorInputs inputs_;
  std::unique_ptr<StatisticsCollector> collector_;  // null until the first slice
  int64_t first_tokens_ = 0;                        // of this run
  SnapshotSchedule schedule_;
  absl::Time start_;
};

}  // namespace superpose
