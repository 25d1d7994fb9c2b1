#include "server/jobs/resource_id.h"

#include <random>

#include "absl/strings/string_view.h"

namespace superpose {

std::string NewResourceId() {
  constexpr absl::string_view kLetters = "0123456789abcdefghijklmnopqrstuvwxyz";
  constexpr int kLength = 12;
  std::random_device random;
  std::uniform_int_distribution<size_t> choose(0, kLetters.size() - 1);
  std::string id;
  for (int i = 0; i < kLength; ++i) id += kLetters[choose(random)];
  return id;
}

}  // namespace superpose
