#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "lib/base/mutex.h"
#include "server/jobs/job_leases.h"
#include "server/jobs/job_manager.h"
#include "server/jobs/job_memory.h"
#include "server/jobs/job_parts.h"
#include "server/jobs/job_policy.h"
#include "server/jobs/job_watchers.h"
#include "server/jobs/running_job.h"
#include "server/runtime/long_lane.h"

namespace superpose {

// Runs the jobs of a JobStore on this server's device. One thread attends to the running jobs: whenever one stands
// still, and once a second.
class DurableJobManager final : public JobManager {
 public:
  struct Options {
    std::string worker = "superposed";  // who holds the leases
    JobCaps caps;
    absl::Duration checkpoint_interval = absl::Minutes(10);
    absl::Duration heartbeat_interval = absl::Seconds(10);
    absl::Duration lease = absl::Seconds(60);
    absl::Duration shortest_pause = absl::Seconds(1);  // after what a job made could not be stored
    LongLane* lane =
        nullptr;  // for slices that take long; null: the device's thread runs them. Must outlive the manager
    std::function<absl::StatusOr<std::unique_ptr<JobWork>>(const v1::Job&, const JobParts&)> make_work = MakeJobWork;
    std::function<absl::StatusOr<MemoryEstimate>(const v1::Job&, const JobParts&)> estimate_memory = EstimateJobMemory;
  };

  // Puts jobs that a server left running back into the queue, and starts.
  static absl::StatusOr<std::unique_ptr<DurableJobManager>> Create(Options options, const JobParts& parts);
  // Without Stop() before, it leaves its jobs as a crash would: they go on from their last checkpoint.
  ~DurableJobManager() override;

  absl::StatusOr<v1::Job> Submit(const v1::Job& as_sent, const Resolve& resolve) override;
  absl::StatusOr<v1::Job> Get(const std::string& name) override;
  absl::StatusOr<JobPage> List(const JobFilter& filter, int64_t page_size, const std::string& page_token) override;
  absl::StatusOr<v1::Job> Cancel(const std::string& name) override;
  absl::Status Delete(const std::string& name) override;
  void TakeSnapshots(const std::string& name, SnapshotRequest request) override;
  std::unique_ptr<JobSubscription> Watch(const std::string& name,
                                         std::function<void(const v1::Job& job)> listener) override;
  void Stop(absl::Time deadline) override;

 private:
  struct Entry {
    std::shared_ptr<RunningJob> job;
    absl::Time last_checkpoint;
    std::optional<JobOutcome> outcome;  // once it has ended, until that is stored
    // Of what a job that is done made, where it could not be stored.
    absl::Duration pause = absl::ZeroDuration();
    absl::Time next_try = absl::InfinitePast();
    std::shared_ptr<MemoryReservation> memory = nullptr;
  };

  DurableJobManager(Options options, const JobParts& parts);
  void Run();
  void Wake();
  void EndThread();
  bool draining() const;

  // These run on the manager's thread.
  void Attend();
  // Whether the job is this server's no more.
  bool AttendTo(Entry& entry);
  bool AttendToMoving(Entry& entry);
  bool AttendToBoundary(Entry& entry);
  bool AttendToDone(Entry& entry);
  bool CheckpointIsDue(const Entry& entry) const;
  void WriteCheckpoint(Entry& entry);
  // Takes the snapshots that are due or wanted; `resume` as for TakeJobSnapshots.
  void TakeSnapshots(Entry& entry, const std::function<void()>& resume);
  // Tells those who wait for snapshots of a job that is gone what there is.
  void AnswerSnapshotRequests(const std::string& name);
  bool GiveBack(Entry& entry);
  bool Settle(Entry& entry, JobOutcome outcome);
  // For what writes a job's large files: keeps all leases meanwhile; an error when the job's own is lost
  // or the thread must end.
  KeepWriting KeepWritingOf(const Entry& entry);
  void RemoveFiles(const v1::Job& job);
  absl::StatusOr<std::unique_ptr<JobWork>> MakeWork(const JobClaim& claim, const absl::Status& memory);
  void StartJobs();
  // Nothing when there is too little memory as long as others work: then it stays where it is in the queue, and so do
  // those behind it. An error when there would be too little even so.
  absl::StatusOr<std::shared_ptr<MemoryReservation>> ReserveMemory(const std::string& name);
  absl::Status StartJob(const std::string& name, const absl::StatusOr<std::shared_ptr<MemoryReservation>>& memory);
  void CountJobs();

  // What a job that does not run left.
  absl::StatusOr<std::vector<v1::Snapshot>> SnapshotsLeftBy(const std::string& name);
  v1::Job WithLiveFields(v1::Job job, const std::vector<std::string>& queue_order) const;
  std::shared_ptr<RunningJob> FindRunning(const std::string& name) const;
  std::vector<std::string> QueueOrderNow();

  const Options options_;
  const JobParts parts_;
  JobWatchers watchers_;
  SnapshotRequests snapshot_requests_;
  JobLeases leases_;  // the manager's thread's
  mutable Mutex mutex_;
  ConditionVariable changed_;
  std::map<std::string, Entry> running_ ABSL_GUARDED_BY(mutex_);
  bool woken_ ABSL_GUARDED_BY(mutex_) = true;
  bool draining_ ABSL_GUARDED_BY(mutex_) = false;  // take no more jobs, give the running ones back
  bool ending_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace superpose
