#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/string_view.h"
#include "lib/base/error.h"
#include "server/runtime/reasons.h"

namespace superpose {

// The page size to use: 0 means `standard`, and there is a most. Negative: CONFIG_INVALID.
inline absl::StatusOr<int64_t> PageSize(int64_t requested, int64_t standard, int64_t most) {
  if (requested < 0)
    return InvalidArgument(reason::kConfigInvalid, "page_size is ", requested, ": it must be 0 or more");
  return requested == 0 ? standard : std::min(requested, most);
}

// The page size of the lists of resources: 100 unless asked for, 1000 at most.
inline absl::StatusOr<int64_t> ListPageSize(int64_t requested) { return PageSize(requested, 100, 1000); }

// Calls add(entry) for one page of a map whose keys all begin with `prefix` ("models/"); the page token is the last key
// of the page before, which may have gone meanwhile. Returns the next page's token. PAGE_TOKEN_INVALID when the token
// is no key of such a map.
template <typename Map, typename Add>
absl::StatusOr<std::string> PageThrough(const Map& entries, absl::string_view prefix, int64_t page_size,
                                        const std::string& page_token, Add add) {
  auto next = entries.begin();
  if (!page_token.empty()) {
    if (!absl::StartsWith(page_token, prefix) || page_token.size() == prefix.size())
      return InvalidArgument(reason::kPageTokenInvalid, "page_token did not come from this server");
    next = entries.upper_bound(page_token);
  }
  std::string last;
  for (int64_t taken = 0; next != entries.end() && taken < page_size; ++next, ++taken) {
    add(next->second);
    last = next->first;
  }
  return next == entries.end() ? std::string() : last;
}

}  // namespace superpose
