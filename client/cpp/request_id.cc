#include "client/cpp/request_id.h"

#include <cstdint>

#include "absl/random/random.h"
#include "absl/strings/str_cat.h"

namespace superpose::client {

std::string NewRequestId() {
  absl::BitGen random;
  auto part = [&random] { return absl::Hex(absl::Uniform<uint64_t>(random), absl::kZeroPad16); };
  return absl::StrCat(part(), part());
}

}  // namespace superpose::client
