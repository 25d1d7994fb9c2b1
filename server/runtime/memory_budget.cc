#include "server/runtime/memory_budget.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "server/runtime/reasons.h"

namespace superpose {
namespace {

constexpr int64_t kMostForRequests = int64_t{1} << 30;
constexpr int64_t kShareForRequests = 16;

size_t IndexOf(MemoryUse use) { return static_cast<size_t>(use); }

}  // namespace

MemoryReservation& MemoryReservation::operator=(MemoryReservation&& other) noexcept {
  if (this == &other) return *this;
  ShrinkTo(0);
  account_ = std::move(other.account_);
  use_ = other.use_;
  bytes_ = std::exchange(other.bytes_, 0);
  return *this;
}

void MemoryReservation::ShrinkTo(int64_t bytes) {
  if (account_ == nullptr || bytes >= bytes_) return;
  const MutexLock lock(&account_->mutex);
  account_->used[IndexOf(use_)] -= bytes_ - bytes;
  bytes_ = bytes;
}

MemoryReservation MemoryReservation::Split(int64_t bytes) {
  const int64_t taken = std::min(bytes, bytes_);
  bytes_ -= taken;
  return {account_, use_, taken};
}

absl::StatusOr<MemoryReservation> MemoryBudget::Reserve(MemoryUse use, int64_t bytes, absl::string_view what,
                                                        absl::string_view advice) {
  MemoryReservation reservation(account_, use, 0);
  SUPERPOSE_RETURN_IF_ERROR(GrowTo(bytes, &reservation, what, advice));
  return reservation;
}

absl::Status MemoryBudget::GrowTo(int64_t bytes, MemoryReservation* reservation, absl::string_view what,
                                  absl::string_view advice) {
  const int64_t more = bytes - reservation->bytes_;
  if (more <= 0) return absl::OkStatus();
  while (const std::optional<Shortage> shortage = Take(reservation->use_, more)) {
    if (shortage->cache_helps && DropOneOfCache()) continue;
    return Exceeded(bytes, shortage->free + reservation->bytes_, what, advice);
  }
  reservation->bytes_ = bytes;
  return absl::OkStatus();
}

std::optional<MemoryBudget::Shortage> MemoryBudget::Take(MemoryUse use, int64_t bytes) {
  const MutexLock lock(&account_->mutex);
  const int64_t available = AvailableLocked(use);
  const int64_t free = available - account_->used[IndexOf(MemoryUse::kCache)];
  if (bytes > free) return Shortage{.free = free, .cache_helps = bytes <= available};
  account_->used[IndexOf(use)] += bytes;
  return std::nullopt;
}

void MemoryBudget::SetCache(std::function<bool()> drop_one) {
  const MutexLock lock(&cache_mutex_);
  drop_one_ = std::move(drop_one);
}

bool MemoryBudget::DropOneOfCache() {
  const MutexLock lock(&cache_mutex_);
  return drop_one_ != nullptr && drop_one_();
}

absl::Status MemoryBudget::CheckCanEverFit(MemoryUse use, int64_t bytes, absl::string_view what,
                                           absl::string_view advice) const {
  const int64_t most = MostEver(use);
  return bytes <= most ? absl::OkStatus() : Exceeded(bytes, most, what, advice);
}

absl::Status MemoryBudget::Exceeded(int64_t bytes, int64_t free, absl::string_view what,
                                    absl::string_view advice) const {
  return ResourceExhausted(reason::kMemoryExceeded, what, " needs ", BytesInWords(bytes), " of memory, and ",
                           BytesInWords(std::max<int64_t>(0, free)), " of the server's ", BytesInWords(limit_),
                           " can be had", advice.empty() ? "" : ": ", advice);
}

int64_t MemoryBudget::KeptFrom(MemoryUse use) const {
  const bool for_request = use == MemoryUse::kRequest || use == MemoryUse::kCache;
  return for_request ? 0 : std::min(kMostForRequests, limit_ / kShareForRequests);
}

int64_t MemoryBudget::AvailableLocked(MemoryUse use) const {
  const auto& used = account_->used;
  const int64_t requests = std::max(used[IndexOf(MemoryUse::kRequest)], KeptFrom(use));
  return limit_ - used[IndexOf(MemoryUse::kLoaded)] - used[IndexOf(MemoryUse::kJob)] - requests;
}

int64_t MemoryBudget::used_bytes() const {
  const MutexLock lock(&account_->mutex);
  return std::accumulate(account_->used.begin(), account_->used.end(), int64_t{0});
}

int64_t MemoryBudget::Available(MemoryUse use) const {
  const MutexLock lock(&account_->mutex);
  return std::max<int64_t>(0, AvailableLocked(use));
}

int64_t MemoryBudget::MostEver(MemoryUse use) const {
  const MutexLock lock(&account_->mutex);
  return std::max<int64_t>(0, limit_ - account_->used[IndexOf(MemoryUse::kLoaded)] - KeptFrom(use));
}

int64_t LargestThatFits(int64_t most, int64_t room, const std::function<int64_t(int64_t n)>& needed) {
  int64_t fits = 0, too_many = most + 1;
  while (too_many - fits > 1) {
    const int64_t middle = fits + (too_many - fits) / 2;
    (needed(middle) <= room ? fits : too_many) = middle;
  }
  return fits;
}

std::string BytesInWords(int64_t bytes) {
  constexpr std::array<const char*, 5> kUnits = {"B", "KiB", "MiB", "GiB", "TiB"};
  auto value = static_cast<double>(bytes);
  size_t unit = 0;
  while (std::abs(value) >= 1024 && unit + 1 < kUnits.size()) {
    value /= 1024;
    ++unit;
  }
  return unit == 0 ? absl::StrCat(bytes, " B") : absl::StrFormat("%.1f %s", value, kUnits[unit]);
}

}  // namespace superpose
