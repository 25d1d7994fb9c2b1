#pragma once

#include <cstdint>

namespace superpose {

// What a caller may ask for at once.
struct Limits {
  int64_t max_unary_tokens = 8192;
  int64_t max_message_bytes = int64_t{64} << 20;  // of requests and of answers
  int64_t max_held_bytes = int64_t{256} << 20;    // of tensors that a stream keeps until they are read
};

// Calls that are under way at once, streams and watches included: more are refused.
inline constexpr int64_t kMostOpenCalls = 1024;

// Tokens of a part of a large request: so few that other requests need not wait long, so many that the device works
// well.
inline constexpr int64_t kPartTokens = 1024;

}  // namespace superpose
