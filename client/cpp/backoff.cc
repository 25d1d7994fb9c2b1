#include "client/cpp/backoff.h"

#include <algorithm>
#include <condition_variable>
#include <mutex>

namespace superpose::client {

Backoff::Backoff(absl::Duration first, absl::Duration longest) : first_(first), longest_(longest), next_(first) {}

absl::Duration Backoff::Next() {
  absl::Duration pause = next_ * absl::Uniform(random_, 0.5, 1.0);
  next_ = std::min(next_ * 2, longest_);
  return pause;
}

void Pause(absl::Duration duration, const std::stop_token& stop) {
  std::mutex mutex;
  std::condition_variable_any stopped;
  std::unique_lock<std::mutex> lock(mutex);
  stopped.wait_for(lock, stop, absl::ToChronoNanoseconds(duration), [] { return false; });
}

}  // namespace superpose::client
