// Which of the requests that wait for the device run together: pure functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "absl/types/span.h"

namespace superpose {

// What decides whether a request joins others.
struct BatchItem {
  std::string key;     // only requests of one key run together; empty: it runs alone
  int64_t tokens = 0;  // what it costs
};

struct BatchLimits {
  int64_t max_requests = 32;
  int64_t max_tokens = 1024;                         // of all together
  absl::Duration max_delay = absl::Milliseconds(2);  // after a batch, for its callers to come again
};

// Who came lately: those that ran last, and those that waited meanwhile.
struct Crowd {
  std::string key;
  int64_t requests = 0;
  absl::Time until = absl::InfinitePast();  // after that it is forgotten
};

int64_t TokensOf(absl::Span<const BatchItem* const> items);

// Indices, ascending, of the requests to run now: the first of `waiting`, which must not be empty, whatever it is, and
// in their order those that may join it within the limits. One that is over twice as long as the first, and not short,
// does not join: a short one should not wait for long ones behind it.
std::vector<size_t> ChooseBatch(absl::Span<const BatchItem* const> waiting, const BatchLimits& limits);

// Whether the device should wait for more, until crowd.until: all that waits is of the crowd, more of it are to be
// expected, and there is room for them.
bool IsWorthWaiting(absl::Span<const BatchItem* const> waiting, const Crowd& crowd, const BatchLimits& limits);

}  // namespace superpose
