// How much memory the server may use, and who holds it.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "lib/base/mutex.h"

namespace superpose {

// What memory is for: models, transcoders and corpora that are held, a running job, a call that somebody waits for, and
// what is kept in case that a later call wants it, which makes room for the others.
enum class MemoryUse { kLoaded, kJob, kRequest, kCache };
inline constexpr size_t kMemoryUses = 4;

namespace internal {

struct MemoryAccount {
  Mutex mutex;
  std::array<int64_t, kMemoryUses> used ABSL_GUARDED_BY(mutex) = {};
};

}  // namespace internal

// Bytes that are promised to its holder, given back when it goes. May outlive the budget. Not thread-safe.
class MemoryReservation {
 public:
  MemoryReservation() = default;
  MemoryReservation(MemoryReservation&& other) noexcept { *this = std::move(other); }
  MemoryReservation& operator=(MemoryReservation&& other) noexcept;
  ~MemoryReservation() { ShrinkTo(0); }

  int64_t bytes() const { return bytes_; }
  // Gives back what is above `bytes`.
  void ShrinkTo(int64_t bytes);
  // Hands `bytes` of it, or all where it has less, over.
  MemoryReservation Split(int64_t bytes);

 private:
  friend class MemoryBudget;
  MemoryReservation(std::shared_ptr<internal::MemoryAccount> account, MemoryUse use, int64_t bytes)
      : account_(std::move(account)), use_(use), bytes_(bytes) {}

  std::shared_ptr<internal::MemoryAccount> account_;
  MemoryUse use_ = MemoryUse::kRequest;
  int64_t bytes_ = 0;
};

// Thread-safe. A sixteenth of the limit, at most 1 GiB, is kept for requests: models and jobs do not get it.
class MemoryBudget {
 public:
  explicit MemoryBudget(int64_t limit_bytes) : limit_(limit_bytes) {}

  // RESOURCE_EXHAUSTED / MEMORY_EXCEEDED when it is not there now: "`what` needs 2.0 GiB, and 1.5 GiB of 12.0 GiB are
  // free", and then `advice`, what would fit, where there is some. Before that what is cached goes, if it helps.
  absl::StatusOr<MemoryReservation> Reserve(MemoryUse use, int64_t bytes, absl::string_view what,
                                            absl::string_view advice = "");
  // Makes a reservation of this budget larger; the same error leaves it as it is.
  absl::Status GrowTo(int64_t bytes, MemoryReservation* reservation, absl::string_view what,
                      absl::string_view advice = "");
  // The same error unless it would be there once all jobs and requests have ended.
  absl::Status CheckCanEverFit(MemoryUse use, int64_t bytes, absl::string_view what,
                               absl::string_view advice = "") const;

  int64_t limit_bytes() const { return limit_; }
  int64_t used_bytes() const;
  // What could be reserved now, if the cache makes room, and what could be once all jobs and requests have ended.
  int64_t Available(MemoryUse use) const;
  int64_t MostEver(MemoryUse use) const;

  // `drop_one` is asked to let go of one thing that is cached, on any thread; false when there is none. Null: no cache,
  // and the one before is not asked any more once this returns. `drop_one` must not call this object.
  void SetCache(std::function<bool()> drop_one);

 private:
  absl::Status Exceeded(int64_t bytes, int64_t free, absl::string_view what, absl::string_view advice) const;
  // Of the limit, what this use does not get.
  int64_t KeptFrom(MemoryUse use) const;
  int64_t AvailableLocked(MemoryUse use) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(account_->mutex);
  // Takes `bytes`, and returns nothing, or returns what could be had.
  struct Shortage {
    int64_t free = 0;
    bool cache_helps = false;
  };
  std::optional<Shortage> Take(MemoryUse use, int64_t bytes);
  bool DropOneOfCache();

  const int64_t limit_;
  const std::shared_ptr<internal::MemoryAccount> account_ = std::make_shared<internal::MemoryAccount>();
  Mutex cache_mutex_;  // held while the cache is asked, never with the account's
  std::function<bool()> drop_one_ ABSL_GUARDED_BY(cache_mutex_);
};

// The largest n of 1 .. most for which needed(n), which grows with n, is at most `room`; 0 when there is none.
int64_t LargestThatFits(int64_t most, int64_t room, const std::function<int64_t(int64_t n)>& needed);

// 1.5 GiB.
std::string BytesInWords(int64_t bytes);

}  // namespace superpose
