#pragma once

#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "lib/base/budget.h"
#include "lib/base/error.h"
#include "lib/tensor_io/safetensors.h"
#include "server/runtime/reasons.h"
#include "superpose/v1/job.pb.h"
#include "superpose/v1/statistics.pb.h"

namespace superpose {

// How far a job's work is.
struct WorkReport {
  v1::JobProgress progress;
  std::map<std::string, double> metrics;
};

// What a job has counted of one layer, on its way to a snapshot.
struct TakenStatistics {
  v1::Snapshot snapshot;
  TensorMap tensors;  // live: they change when the job goes on
};

// The work of one job, in slices. RunSlice, AtBoundary and Report are called on the device's thread; the others on
// another thread, while no slice runs.
class JobWork {
 public:
  virtual ~JobWork() = default;

  // Works until the budget is exhausted, at least one unit; true when all is done.
  virtual absl::StatusOr<bool> RunSlice(const Budget& budget) = 0;
  // Whether a checkpoint can be written as the work stands now.
  virtual bool AtBoundary() const = 0;
  virtual WorkReport Report() const = 0;

  // Makes durable what has been done, at a boundary only; false when there is nothing to go on from that is newer than
  // before. `keep_writing` is asked between the parts of what is written:
  // an error of it ends the writing and is returned.
  virtual absl::StatusOr<bool> WriteCheckpoint(const KeepWriting& keep_writing) = 0;
  // Of jobs that collect statistics. Whether the work stands at a boundary where it is to take a snapshot by itself;
  // asked on the device's thread too.
  virtual bool SnapshotIsDue() const { return false; }
  // What it has counted so far, one a layer, at a boundary only; a snapshot that was due is then not due any more.
  // FAILED_PRECONDITION / JOB_WITHOUT_STATISTICS.
  virtual absl::StatusOr<std::vector<TakenStatistics>> TakeStatistics() {
    return FailedPrecondition(reason::kJobWithoutStatistics, "this job collects no statistics");
  }

  // Stores what the job made, when all is done; the job's `result`. Where it fails it may be called again.
  virtual absl::StatusOr<v1::Job> Finish(const KeepWriting& keep_writing) = 0;
};

}  // namespace superpose
