// The job queue as the services see it. Behind it a thread claims queued jobs, gives their work to the device, keeps
// leases, progress and checkpoints, and ends them.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/jobs/job_store.h"
#include "server/jobs/snapshot_requests.h"
#include "superpose/v1/job.pb.h"

namespace superpose {

// While it lives, the listener that it stands for is called; when its destructor has returned, never again.
class JobSubscription {
 public:
  virtual ~JobSubscription() = default;
};

// Thread-safe. All but Watch block on disk: not on gRPC's threads.
class JobManager {
 public:
  virtual ~JobManager() = default;

  // Checks a job's spec and fills in every default.
  using Resolve = std::function<absl::StatusOr<v1::Job>(v1::Job as_sent)>;
  // Queues a job with what `resolve`, where there is one, makes of it. A request that was sent before gets the job that
  // it made then, whatever `resolve` would say now. Errors: those of `resolve` and of JobStore::FindSubmitted;
  // SHUTTING_DOWN.
  virtual absl::StatusOr<v1::Job> Submit(const v1::Job& as_sent, const Resolve& resolve) = 0;
  // With live progress, queue_position and time_left.
  virtual absl::StatusOr<v1::Job> Get(const std::string& name) = 0;
  virtual absl::StatusOr<JobPage> List(const JobFilter& filter, int64_t page_size, const std::string& page_token) = 0;
  virtual absl::StatusOr<v1::Job> Cancel(const std::string& name) = 0;
  // Its checkpoints go too; what it made stays.
  virtual absl::Status Delete(const std::string& name) = 0;
  // Takes snapshots of a running job at its next step boundary, and tells `request` when they are stored; of a job that
  // has succeeded, those that it ended with. JOB_NOT_FOUND; FAILED_PRECONDITION / JOB_WITHOUT_STATISTICS;
  // SHUTTING_DOWN.
  virtual void TakeSnapshots(const std::string& name, SnapshotRequest request) = 0;

  // Calls `listener` after every change of the job (state, progress, metrics), from any thread; it must not
  // block, call this object, or take the subscription down. Gives no first call: Subscribe, then Get.
  virtual std::unique_ptr<JobSubscription> Watch(const std::string& name,
                                                 std::function<void(const v1::Job& job)> listener) = 0;

  // Takes no more work; lets running jobs reach a step boundary, checkpoints them and gives them back to the queue;
  // what is not there by `deadline` falls back to its last checkpoint at the next start.
  virtual void Stop(absl::Time deadline) = 0;
};

}  // namespace superpose
