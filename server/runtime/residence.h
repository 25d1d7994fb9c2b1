#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "lib/base/mutex.h"
#include "server/runtime/memory_budget.h"

namespace superpose {

// The memory that something loaded takes, for as long as anybody holds the thing. Thread-safe.
class Residence {
 public:
  explicit Residence(MemoryReservation reservation) : reservation_(std::move(reservation)) {}
  // Lets go of `token` when the memory has been given back.
  void KeepUntilRelease(std::shared_ptr<void> token) {
    const MutexLock lock(&mutex_);
    tokens_.push_back(std::move(token));
  }

 private:
  Mutex mutex_;
  std::vector<std::shared_ptr<void>> tokens_ ABSL_GUARDED_BY(mutex_);
  MemoryReservation reservation_;  // goes before the tokens
};

// The same thing, which now gives its residence up when the last that holds it lets go.
template <typename Thing>
std::shared_ptr<const Thing> WithResidence(std::shared_ptr<const Thing> thing, std::shared_ptr<Residence> residence) {
  struct Holder {
    std::shared_ptr<Residence> residence;  // goes after the thing
    std::shared_ptr<const Thing> thing;
  };
  const Thing* const bare = thing.get();
  auto holder = std::make_shared<Holder>(Holder{std::move(residence), std::move(thing)});
  return std::shared_ptr<const Thing>(std::move(holder), bare);
}

}  // namespace superpose
