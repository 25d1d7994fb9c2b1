#include "server/runtime/long_lane.h"

#include <sys/resource.h>

#include <algorithm>
#include <utility>

#include "absl/time/clock.h"
#include "lib/kernels/compute_thread.h"

namespace superpose {
namespace {

// Of the calling thread, and of the workers that it starts: a third of the processor time of others that want it too.
constexpr int kNiceness = 5;

// Longest wait at once: much longer ones overflow in the standard library.
constexpr absl::Duration kLongestWait = absl::Hours(1);

}  // namespace

LongLane::LongLane(int threads) : thread_([this, threads] { Run(threads); }) {}

LongLane::~LongLane() {
  Stop(absl::InfinitePast());
  thread_.join();
}

void LongLane::Post(std::function<void()> unit) {
  const MutexLock lock(&mutex_);
  if (stopping_) return;
  units_.push_back(std::move(unit));
  changed_.NotifyAll();
}

bool LongLane::Stop(absl::Time deadline) {
  std::deque<std::function<void()>> left;  // goes without the lock: what stands in it may call this object
  const MutexLock lock(&mutex_);
  stopping_ = true;
  left = std::exchange(units_, {});
  changed_.NotifyAll();
  while (busy_) {
    const absl::Duration more = deadline - absl::Now();
    if (more <= absl::ZeroDuration()) break;
    changed_.WaitFor(&mutex_, absl::ToChronoNanoseconds(std::min(more, kLongestWait)));
  }
  return !busy_;
}

void LongLane::Run(int threads) {
  setpriority(PRIO_PROCESS, 0, kNiceness);  // on Linux the thread's own
  ConfigureComputeThread(threads);
  while (true) {
    std::function<void()> unit;
    {
      const MutexLock lock(&mutex_);
      busy_ = false;
      changed_.NotifyAll();
      while (units_.empty() && !stopping_) changed_.Wait(&mutex_);
      if (stopping_) return;
      unit = std::move(units_.front());
      units_.pop_front();
      busy_ = true;
    }
    unit();
    unit = nullptr;  // before it counts as over
  }
}

}  // namespace superpose
