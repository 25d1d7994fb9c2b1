#pragma once

#include <map>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "lib/base/budget.h"
#include "lib/tensor_io/safetensors.h"
#include "superpose/v1/job.pb.h"

namespace superpose {

// How far a job's work is.
struct WorkReport {
  v1::JobProgress progress;
  std::map<std::string, double> metrics;
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
  // Stores what the job made, when all is done; the job's `result`. Where it fails it may be called again.
  virtual absl::StatusOr<v1::Job> Finish(const KeepWriting& keep_writing) = 0;
};

}  // namespace superpose
