#pragma once

#include "absl/time/clock.h"
#include "absl/time/time.h"

namespace superpose {

// Where the time comes from: tests pass one that stands still until it is told.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual absl::Time Now() const = 0;
};

class SystemClock final : public Clock {
 public:
  absl::Time Now() const override { return absl::Now(); }
};

}  // namespace superpose
