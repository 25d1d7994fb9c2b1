#pragma once

#include <functional>

#include "absl/strings/string_view.h"

namespace superpose {

// Splits valid UTF-8 into the words that byte-pair merges stay inside, as GPT-2's pattern does:
//   's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
void SplitGpt2(absl::string_view text, const std::function<void(absl::string_view word)>& take);

}  // namespace superpose
