// Lists go from the newest row to the oldest, by the tables' `sequence`. A page token is the sequence of the last row
// of the page before.
#pragma once

#include <algorithm>
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

}  // namespace superpose
