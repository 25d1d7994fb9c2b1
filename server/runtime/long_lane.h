#pragma once

#include <deque>
#include <functional>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/time/time.h"
#include "lib/base/mutex.h"

namespace superpose {

// A thread that computes beside the device's, for units of work that take long and cannot be divided, such as LAPACK's
// eigh: one at a time, in the order in which they came. It computes on as many threads as the device's does, at a lower
// priority: where both want the processors, the device's goes first. Thread-safe.
class LongLane {
 public:
  explicit LongLane(int threads);
  // Waits for the unit under way, however long it takes; what waits is let go.
  ~LongLane();
  LongLane(const LongLane&) = delete;
  LongLane& operator=(const LongLane&) = delete;

  // `unit` lets no exception out. Nothing happens after Stop().
  void Post(std::function<void()> unit);
  // Lets go of all that waits and takes no more. False when a unit is still under way at `deadline`: nothing can
  // interrupt it.
  bool Stop(absl::Time deadline);

 private:
  void Run(int threads);

  Mutex mutex_;
  ConditionVariable changed_;
  std::deque<std::function<void()>> units_ ABSL_GUARDED_BY(mutex_);
  bool busy_ ABSL_GUARDED_BY(mutex_) = false;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace superpose
