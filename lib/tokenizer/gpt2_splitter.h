#pragma once

#include <cstddef>
#include <functional>

#include "absl/strings/string_view.h"

namespace superpose {

// Splits valid UTF-8 into the words that byte-pair merges stay inside, as GPT-2's pattern does:
//   's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
void SplitGpt2(absl::string_view text, const std::function<void(absl::string_view word)>& take);

// Whether the words of text[.. offset] and of text[offset ..] are together those of the text, whatever else stands in
// it: ASCII whitespace begins at `offset` after something else. No word goes on with whitespace after something else,
// and none asks what was before it.
bool IsSafeCut(absl::string_view text, size_t offset);

}  // namespace superpose
