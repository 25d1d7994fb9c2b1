#include "server/runtime/choose_batch.h"

#include <algorithm>

namespace superpose {
namespace {

// A forward pass of fewer rows takes about as long as one of a single row: it reads the same weights.
constexpr int64_t kShort = 64;

bool IsLikeFirst(const BatchItem& item, const BatchItem& first) {
  return item.key == first.key && item.tokens <= 2 * std::max(first.tokens, kShort);
}

}  // namespace

int64_t TokensOf(absl::Span<const BatchItem* const> items) {
  int64_t tokens = 0;
  for (const BatchItem* item : items) tokens += item->tokens;
  return tokens;
}

std::vector<size_t> ChooseBatch(absl::Span<const BatchItem* const> waiting, const BatchLimits& limits) {
  const BatchItem& first = *waiting.front();
  std::vector<size_t> chosen = {0};
  if (first.key.empty()) return chosen;
  int64_t tokens = first.tokens;
  for (size_t i = 1; i < waiting.size() && static_cast<int64_t>(chosen.size()) < limits.max_requests; ++i) {
    const BatchItem& item = *waiting[i];
    if (!IsLikeFirst(item, first) || tokens + item.tokens > limits.max_tokens) continue;
    tokens += item.tokens;
    chosen.push_back(i);
  }
  return chosen;
}

bool IsWorthWaiting(absl::Span<const BatchItem* const> waiting, const Crowd& crowd, const BatchLimits& limits) {
  if (waiting.empty() || static_cast<int64_t>(waiting.size()) >= crowd.requests) return false;
  const auto is_of_crowd = [&](const BatchItem* item) { return !item->key.empty() && item->key == crowd.key; };
  if (!std::all_of(waiting.begin(), waiting.end(), is_of_crowd)) return false;
  std::vector<const BatchItem*> one_more(waiting.begin(), waiting.end());
  one_more.push_back(waiting.front());
  return ChooseBatch(one_more, limits).size() == one_more.size();
}

}  // namespace superpose
