// Keeps what a running job has counted as snapshots.
#pragma once

#include <functional>
#include <vector>

#include "absl/status/status.h"
#include "server/jobs/job_work.h"
#include "server/jobs/snapshot_requests.h"
#include "server/jobs/snapshot_store.h"
#include "server/runtime/clock.h"
#include "server/runtime/memory_budget.h"
#include "superpose/v1/job.pb.h"

namespace superpose {

struct JobSnapshotParts {
  SnapshotStore* snapshots = nullptr;
  const Clock* clock = nullptr;
  MemoryBudget* budget = nullptr;  // null: without limit
};

// While the job stands still at a boundary: answers `requests`, and takes the snapshot that is due by the job's own
// settings. Where there is room for a copy of the statistics, `resume` is called as soon as that is made, before
// anything is written, so that the job stands still no longer than it takes to copy; else the job waits for the
// writing, and `resume` is left to the caller. Errors are told to those who asked; the status is that of the job's own
// snapshot.
absl::Status TakeJobSnapshots(const JobSnapshotParts& parts, const v1::Job& job, JobWork& work,
                              const std::vector<SnapshotRequest>& requests, const KeepWriting& keep_writing,
                              const std::function<void()>& resume);

}  // namespace superpose
