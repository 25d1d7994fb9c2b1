#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace superpose {

struct Utf8Step {
  uint32_t code_point;  // meaningful when valid
  int length;  // bytes; of an invalid stretch, its maximal subpart (Unicode 15, section 3.9, U+FFFD substitution)
  bool valid;
};

// The code point, or the invalid stretch, that `text` (not empty) begins with.
Utf8Step NextUtf8(absl::string_view text);

// INVALID_UTF8 names the first byte that is not valid.
absl::Status CheckUtf8(absl::string_view text);

void AppendUtf8(uint32_t code_point, std::string* out);

// Every invalid stretch becomes U+FFFD, as in Python's bytes.decode("utf-8", errors="replace").
std::string ReplaceInvalidUtf8(absl::string_view bytes);

}  // namespace superpose
