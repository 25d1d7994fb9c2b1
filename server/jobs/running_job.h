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
#include "server/jobs/long_slices.h"
#include "server/runtime/clock.h"
#include "server/runtime/device_executor.h"
#include "server/runtime/long_lane.h"

namespace superpose {

// A claimed job between the device, which runs its slices, and the manager, which does all the rest while it stands
// still. Slices that take long run in the lane, where there is one; meanwhile it stands aside from the device.
class RunningJob final : public SlicedWork, public std::enable_shared_from_this<RunningJob> {
 public:
  // Why it stands still.
  enum class Halt { kDone, kFailed, kAtBoundary, kCancelled };
  // Called from the device's thread, the lane's, or the one that asks it to stand still: `on_halt` when it does,
  // `on_progress` at most five times a second, and before it stands aside.
  struct Callbacks {
    std::function<void()> on_halt;
    std::function<void(const v1::Job& job)> on_progress;
  };

  // Where it runs. The lane may be null: then the device runs every slice. Both must outlive this.
  struct Place {
    DeviceExecutor* device = nullptr;
    LongLane* lane = nullptr;
  };

  RunningJob(JobClaim claim, std::unique_ptr<JobWork> work, const Clock* clock, const Place& place,
             Callbacks callbacks);

  bool RunSlice(const Budget& budget) override;

  // At the next step boundary it stands still, to be checkpointed or for a snapshot: at once where it waits for the
  // lane.
  void AskForBoundary();
  // At the next slice it stands still, for good: at the end of the one under way, whether or not that was the last, and
  // at once where it waits for the lane.
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
  bool RunHere(const Budget& budget);
  bool NextIsLong() const { return long_slices_ != nullptr && long_slices_->NextIsLong(); }
  // Waits for the lane instead of the next turn; false.
  bool StepAside();
  void RunAside();
  // Stands still if it waits for the lane, and may.
  void LeaveLane(Halt halt);
  bool HaltAs(Halt halt);
  void HaltLocked(Halt halt) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Publish();
  void ReportLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  v1::Job SnapshotLocked() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const JobClaim claim_;
  const std::unique_ptr<JobWork> work_;
  const LongSlices* const long_slices_;  // work_, where it has some
  const Clock* const clock_;
  const Place place_;
  std::atomic<bool> boundary_wanted_ = false;
  std::atomic<bool> cancel_wanted_ = false;
  mutable Mutex mutex_;
  Callbacks callbacks_ ABSL_GUARDED_BY(mutex_);
  WorkReport report_ ABSL_GUARDED_BY(mutex_);
  std::optional<Halt> halt_ ABSL_GUARDED_BY(mutex_);
  bool waits_for_lane_ ABSL_GUARDED_BY(mutex_) = false;  // then no slice runs
  absl::Status failure_ ABSL_GUARDED_BY(mutex_);
  // Where time_left is measured from: the first report with progress.
  absl::Time measure_start_ ABSL_GUARDED_BY(mutex_) = absl::InfiniteFuture();
  int64_t measure_done_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::Time last_progress_ ABSL_GUARDED_BY(mutex_) = absl::InfinitePast();
};

}  // namespace superpose
