#pragma once

#include <atomic>
#include <cstdint>

#include "absl/time/time.h"
#include "server/runtime/clock.h"

namespace superpose {

// Stands still until it is told to go on; any thread may tell it.
class FakeClock final : public Clock {
 public:
  absl::Time Now() const override { return absl::FromUnixNanos(nanoseconds_); }
  void Advance(absl::Duration duration) { nanoseconds_ += absl::ToInt64Nanoseconds(duration); }

 private:
  std::atomic<int64_t> nanoseconds_ = 1'700'000'000'000'000'000;
};

}  // namespace superpose
