// The one thread that calls LibTorch. Requests of waiting people go first, those that can be joined together; then jobs
// take turns, a slice each.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "lib/base/budget.h"
#include "lib/base/mutex.h"
#include "server/runtime/batchable_work.h"
#include "server/runtime/choose_batch.h"
#include "server/runtime/clock.h"
#include "server/runtime/device_share.h"
#include "server/runtime/fair_rotation.h"
#include "server/telemetry/metrics.h"

namespace superpose {

// Something that a person waits for.
struct DeviceRequest {
  // Called once, on the device's thread: with OK it computes now; else it was not run, and the status says why
  // (DEADLINE_EXCEEDED / DEADLINE_PASSED, CANCELLED, UNAVAILABLE / SHUTTING_DOWN).
  std::function<void(const absl::Status& admitted)> run;
  absl::Time deadline = absl::InfiniteFuture();
  std::function<bool()> is_cancelled;  // may be null
  // The next part of a request that was let in before: the bound on waiting requests is not held against it.
  bool continues = false;
  // What `run` does, where it may be done together with others; may be null.
  std::shared_ptr<BatchableWork> work = nullptr;
  // Where to add up what the device spent on it; may be null. Told before `run`, which ends the part.
  std::shared_ptr<DeviceShare> share = nullptr;
};

// Work that gives way between slices.
class SlicedWork {
 public:
  virtual ~SlicedWork() = default;
  // Works until the budget is exhausted, at least one unit; on the device's thread. False when it wants no further
  // turn: it is done, or it stands still until somebody adds it again.
  virtual bool RunSlice(const Budget& budget) = 0;
};

// Thread-safe.
class DeviceExecutor {
 public:
  struct Options {
    int threads = 1;                                // that LibTorch computes on
    absl::Duration slice = absl::Milliseconds(50);  // longest turn of a job; shorter when a request waits
    int64_t max_waiting_requests = 256;
    BatchLimits batch = {};
  };
  DeviceExecutor(const Options& options, const Clock* clock, Metrics* metrics);
  // Stops.
  ~DeviceExecutor();
  DeviceExecutor(const DeviceExecutor&) = delete;
  DeviceExecutor& operator=(const DeviceExecutor&) = delete;

  // RESOURCE_EXHAUSTED / QUEUE_FULL or UNAVAILABLE / SHUTTING_DOWN: then request.run is never called.
  absl::Status Submit(DeviceRequest request);
  // Gives `work` turns until its RunSlice returns false. Turns go around users first, then around a user's works.
  // Nothing happens after Stop().
  void AddWork(const std::string& user, std::shared_ptr<SlicedWork> work);
  // Runs `body` on the device's thread as the next thing and returns what it returned; UNAVAILABLE / SHUTTING_DOWN
  // after Stop().
  absl::Status RunAndWait(const std::function<absl::Status()>& body);
  // Turns new requests away from now on: UNAVAILABLE / SHUTTING_DOWN. What was let in before goes on, and so does work,
  // which then is not kept from its end by them.
  void StopAdmitting();
  // Ends the slice or request under way, turns all waiting requests away, lets go of all work.
  void Stop();

  // By the clock that shares are measured with.
  absl::Time Now() const { return clock_->Now(); }
  // Slices of work run so far.
  int64_t slices_run() const { return slices_run_; }

 private:
  struct Waiting {
    DeviceRequest request;
    absl::Time since;
  };

  void Run();
  // How many requests wait, once there is something to do; nothing when it is time to stop.
  std::optional<size_t> WaitForSomething();
  // How much longer the requests that wait may wait for others to join them.
  absl::Duration TimeToGather() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  std::vector<const BatchItem*> Items() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // The next request and those that join it; none when it is time to stop.
  std::vector<Waiting> TakeBatch();
  std::optional<FairRotation::Turn> TakeTurn();
  void Serve(std::vector<Waiting> batch);
  absl::Status CheckIsWanted(const DeviceRequest& request) const;
  // Runs them together, or where that fails in smaller parts. Returns when the first answer was there.
  absl::Time RunBatch(absl::Span<Waiting> batch);
  absl::Status RunTogether(absl::Span<Waiting> batch);
  // What its requests have in common.
  DeviceShare ShareOf(absl::Span<const Waiting> batch, absl::Time began) const;
  void RunOne(const Waiting& waiting, DeviceShare share);
  void RememberCrowd(const std::string& key, size_t served, absl::Time answered);
  void RunOneSlice(const FairRotation::Turn& turn);
  void TurnAllAway();

  const Options options_;
  const Clock* const clock_;
  Metrics* const metrics_;
  Mutex mutex_;
  ConditionVariable changed_;
  std::deque<Waiting> requests_ ABSL_GUARDED_BY(mutex_);
  Crowd crowd_ ABSL_GUARDED_BY(mutex_);
  FairRotation works_ ABSL_GUARDED_BY(mutex_);
  bool admitting_ ABSL_GUARDED_BY(mutex_) = true;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::atomic<bool> give_way_ = false;  // the slice under way is to end: a request waits, or Stop() does
  std::atomic<int64_t> slices_run_ = 0;
  std::thread thread_;
};

}  // namespace superpose
