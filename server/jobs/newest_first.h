// Lists go from the newest row to the oldest, by the tables' `sequence`. A page token is the sequence of the last row
// of the page before.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/numbers.h"
#include "lib/base/error.h"
#include "server/runtime/reasons.h"

namespace superpose {

// The page's rows have sequences below this. INVALID_ARGUMENT / PAGE_TOKEN_INVALID.
inline absl::StatusOr<int64_t> SequenceBefore(const std::string& page_token) {
  int64_t sequence = std::numeric_limits<int64_t>::max();
  if (page_token.empty()) return sequence;
  if (absl::SimpleAtoi(page_token, &sequence) && sequence > 0) return sequence;
  return InvalidArgument(reason::kPageTokenInvalid, "page_token did not come from this server");
}

// What a store takes for a page, whatever it is asked for.
inline int64_t BoundedPageSize(int64_t page_size) { return std::clamp<int64_t>(page_size, 1, 10'000); }

// A page ends where the next item would make it longer than this, so that it goes into a message: gRPC's own clients
// take 4 MiB unless they are told otherwise. An item that is longer by itself is a page.
inline constexpr int64_t kMostPageBytes = int64_t{3} << 20;

// Whether so many items are a whole page, or those so far and the next would be too many bytes.
inline bool PageIsFull(size_t items, int64_t page_size, int64_t bytes, int64_t next_bytes) {
  return static_cast<int64_t>(items) == page_size || (items > 0 && bytes + next_bytes > kMostPageBytes);
}

}  // namespace superpose
