#include "server/jobs/merge_work.h"

#include <utility>

#include "lib/base/status_macros.h"
#include "lib/base/torch_guard.h"
#include "server/jobs/snapshot_comparison.h"

namespace superpose {

absl::StatusOr<std::vector<v1::Snapshot>> SnapshotsToMerge(SnapshotStore* store, const v1::MergeSpec& spec) {
  std::vector<v1::Snapshot> snapshots;
  for (const std::string& name : spec.snapshots()) {
    SUPERPOSE_ASSIGN_OR_RETURN(v1::Snapshot snapshot, store->Get(name));
    snapshots.push_back(std::move(snapshot));
  }
  SUPERPOSE_RETURN_IF_ERROR(CheckMergeable(snapshots));
  return snapshots;
}

absl::StatusOr<std::unique_ptr<JobWork>> MergeWork::Create(const v1::Job& job, const JobParts& parts) {
  SUPERPOSE_ASSIGN_OR_RETURN(std::vector<v1::Snapshot> snapshots,
                             SnapshotsToMerge(parts.snapshots, job.merge_snapshots()));
  std::vector<TensorMap> tensors;
  for (const v1::Snapshot& snapshot : snapshots) {
    SUPERPOSE_ASSIGN_OR_RETURN(const SafetensorsFile file, parts.snapshots->Open(snapshot.name()));
    tensors.push_back(file.tensors());
  }
  SUPERPOSE_ASSIGN_OR_RETURN(SnapshotMerger merger, SnapshotMerger::Create(std::move(tensors)));
  return std::unique_ptr<JobWork>(new MergeWork(job, parts, std::move(snapshots), std::move(merger)));
}

absl::StatusOr<bool> MergeWork::RunSlice(const Budget& budget) {
  return CatchTorch([&]() -> absl::StatusOr<bool> {
    while (!merger_.done()) {
      SUPERPOSE_RETURN_IF_ERROR(merger_.RunUnit());
      if (budget.Exhausted()) break;
    }
    return merger_.done();
  });
}

WorkReport MergeWork::Report() const {
  WorkReport report;
  report.progress.set_unit("bytes");
  report.progress.set_done(merger_.bytes_done());
  report.progress.set_total(merger_.bytes_total());
  return report;
}

absl::StatusOr<v1::Job> MergeWork::Finish(const KeepWriting& keep_writing) {
  v1::Snapshot merged = DescribeMerged(snapshots_);
  merged.set_job(job_.name());
  merged.set_owner(job_.owner());
  *merged.mutable_labels() = job_.merge_snapshots().labels();
  SUPERPOSE_ASSIGN_OR_RETURN(const v1::Snapshot kept,
                             parts_.snapshots->AddAtMoment(std::move(merged), SnapshotStore::kAtEnd, merger_.merged(),
                                                           parts_.clock->Now(), keep_writing));
  v1::Job result;
  result.mutable_collected_snapshots()->add_snapshots(kept.name());
  return result;
}

}  // namespace superpose
