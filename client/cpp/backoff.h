// Growing pauses between attempts.
#pragma once

#include <stop_token>

#include "absl/random/random.h"
#include "absl/time/time.h"

namespace superpose::client {

// Pauses that double from `first` to `longest`, each shortened at random by up to a half, so that many clients of a
// server that restarts do not come back at once. Not thread-safe.
class Backoff {
 public:
  Backoff(absl::Duration first, absl::Duration longest);

  absl::Duration Next();
  // Begins again at `first`.
  void Reset() { next_ = first_; }

 private:
  const absl::Duration first_;
  const absl::Duration longest_;
  absl::Duration next_;
  absl::BitGen random_;
};

// Sleeps for `duration`, or until `stop` is requested.
void Pause(absl::Duration duration, const std::stop_token& stop);

}  // namespace superpose::client
