#pragma once

#include <cstdint>

namespace superpose {

// What a caller may ask for at once.
struct Limits {
  int64_t max_unary_tokens = 8192;
  int64_t max_message_bytes = int64_t{64} << 20;  // of requests and of answers
};

}  // namespace superpose
