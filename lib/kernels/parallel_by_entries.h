#pragma once

#include <ATen/Parallel.h>

#include <algorithm>
#include <cstdint>

namespace superpose {

// Runs body(begin, end) over parts of [begin, end) with about equally many entries, in parallel; row r has the entries
// splits[r] .. splits[r + 1]. A row counts as some entries of its own, for what it costs when empty.
template <typename Body>
void ParallelByEntries(const int64_t* splits, int64_t begin, int64_t end, const Body& body) {
  constexpr int64_t kRowCost = 8;
  const auto cost_before = [&](int64_t row) { return splits[row] - splits[begin] + kRowCost * (row - begin); };
  const int64_t parts = std::min<int64_t>(at::get_num_threads(), end - begin);
  const auto boundary = [&](int64_t part) {
    if (part == parts) return end;
    const int64_t target = cost_before(end) * part / parts;
    int64_t low = begin, high = end;
    while (low < high) {
      const int64_t middle = low + (high - low) / 2;
      if (cost_before(middle) < target)
        low = middle + 1;
      else
        high = middle;
    }
    return low;
  };
  at::parallel_for(0, parts, 1, [&](int64_t first, int64_t last) {
    for (int64_t part = first; part < last; ++part) body(boundary(part), boundary(part + 1));
  });
}

}  // namespace superpose
