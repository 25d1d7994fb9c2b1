#pragma once

#include <cstdint>
#include <vector>

namespace superpose {

struct CodePointRange {
  uint32_t first;
  uint32_t last;
};

// Ascending ranges of code points, as the tokenizers package classes them: \p{L}, \p{N}, \s.
extern const std::vector<CodePointRange> kLetters;
extern const std::vector<CodePointRange> kNumbers;
extern const std::vector<CodePointRange> kSpaces;

}  // namespace superpose
