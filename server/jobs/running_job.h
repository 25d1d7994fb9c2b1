#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "lib/base/mutex.h"
#include "server/jobs/job_store.h"
#include "server/jobs/job_work.h"
#include "server/runtime/clock.h"
#include "server/runtime/device_executor.h"

namespace superpose {

// A claimed job between the device, which runs its slices, and the manager, which does all the rest while it stands
// still.
class RunningJob final : public SlicedWork {
 public:
  // Why it stands still.
  enum class Halt { kDone, kFailed, kAtBoundary, kCancelled };
  // Called from the device's thread: `on_halt` when it stands still, `on_progress` at most five times a second.
  struct Callbacks {
    std::function<void()> on_halt;
    std::function<void(const v1::Job& job)> on_progress;
  };

  RunningJob(JobClaim claim, std::unique_ptr<JobWork> work, const Clock* clock, Callbacks callbacks);

  bool RunSlice(const Budget& budget) override;

  // At the next step boundary it stands still, to be checkpointed or for a snapshot.
  void AskForBoundary() { boundary_wanted_ = true; }
  // At the next slice it stands still, for good.
  void AskToCancel();
  // It calls back no more.
  void Detach();

  // Set while it stands still: until Resume().
  std::optional<Halt> halt() const;
  void Resume();
  // When halt() is kFailed.
  absl::Status failure() const;
  // The job as it is now.
  v1::Job Snapshot() const;
  JobClaim claim() const;
  // While it stands still.
  JobWork& work() { return *work_; }

 private:
  bool HaltAs(Halt halt);
  void Publish();
  v1::Job SnapshotLocked() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const JobClaim claim_;
  const std::unique_ptr<JobWork> work_;
  const Clock* const clock_;
  std::atomic<bool> boundary_wanted_ = false;
  std::atomic<bool> cancel_wanted_ = false;
  mutable Mutex mutex_;
  Callbacks callbacks_ ABSL_GUARDED_BY(mutex_);
  WorkReport report_ ABSL_GUARDED_BY(mutex_);
  std::optional<Halt> halt_ ABSL_GUARDED_BY(mutex_);
  absl::Status failure_ ABSL_GUARDED_BY(mutex_);
  // Where time_left is measured from: the first report with progress.
  absl::Time measure_start_ ABSL_GUARDED_BY(mutex_) = absl::InfiniteFuture();
  int64_t measure_done_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::Time last_progress_ ABSL_GUARDED_BY(mutex_) = absl::InfinitePast();
};

}  // namespace superpose
