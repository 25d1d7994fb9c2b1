#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "lib/statistics/snapshot_merger.h"
#include "server/jobs/job_parts.h"
#include "server/jobs/job_work.h"

namespace superpose {

// Makes one snapshot of several. Begins anew after a restart: there are no checkpoints.
class MergeWork final : public JobWork {
 public:
  static absl::StatusOr<std::unique_ptr<JobWork>> Create(const v1::Job& job, const JobParts& parts);

  absl::StatusOr<bool> RunSlice(const Budget& budget) override;
  bool AtBoundary() const override { return true; }
  WorkReport Report() const override;
  absl::StatusOr<bool> WriteCheckpoint(const KeepWriting& /*keep_writing*/) override { return false; }
  absl::StatusOr<v1::Job> Finish(const KeepWriting& keep_writing) override;

 private:
  MergeWork(const v1::Job& job, const JobParts& parts, std::vector<v1::Snapshot> snapshots, SnapshotMerger merger)
      : job_(job), parts_(parts), snapshots_(std::move(snapshots)), merger_(std::move(merger)) {}

  const v1::Job job_;
  const JobParts parts_;
  const std::vector<v1::Snapshot> snapshots_;
  SnapshotMerger merger_;
};

// The snapshots that a spec names, if they can be merged. SNAPSHOT_NOT_FOUND, NAME_INVALID, and those of
// CheckMergeable.
absl::StatusOr<std::vector<v1::Snapshot>> SnapshotsToMerge(SnapshotStore* store, const v1::MergeSpec& spec);

}  // namespace superpose
