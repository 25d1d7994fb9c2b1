#include "tests/bench/service_must.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>

namespace superpose {

void Fail(const std::string& message) {
  std::fprintf(stderr, "superpose_service_bench: %s\n", message.c_str());
  // Other threads are in the middle of calls: nothing is taken down around them. The server ends with its parent.
  std::_Exit(1);
}

double Percentile(std::vector<double> values, double fraction) {
  if (values.empty()) Fail("nothing was measured");
  const auto rank = static_cast<size_t>(std::ceil(fraction * static_cast<double>(values.size())));
  const auto at = values.begin() + static_cast<int64_t>(rank == 0 ? 0 : rank - 1);
  std::nth_element(values.begin(), at, values.end());
  return *at;
}

}  // namespace superpose
