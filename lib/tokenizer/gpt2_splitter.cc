#include "lib/tokenizer/gpt2_splitter.h"

#include <algorithm>
#include <array>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "lib/tokenizer/unicode_tables.h"
#include "lib/tokenizer/utf8.h"

namespace superpose {
namespace {

enum class CharClass : uint8_t { kLetter, kNumber, kSpace, kOther };

bool IsIn(const std::vector<CodePointRange>& ranges, uint32_t code_point) {
  auto after = std::upper_bound(ranges.begin(), ranges.end(), code_point,
                                [](uint32_t code, const CodePointRange& range) { return code < range.first; });
  return after != ranges.begin() && code_point <= std::prev(after)->last;
}

CharClass LookUp(uint32_t code_point) {
  if (IsIn(kLetters, code_point)) return CharClass::kLetter;
  if (IsIn(kNumbers, code_point)) return CharClass::kNumber;
  return IsIn(kSpaces, code_point) ? CharClass::kSpace : CharClass::kOther;
}

CharClass ClassOf(uint32_t code_point) {
  static const std::array<CharClass, 128> kAscii = [] {
    std::array<CharClass, 128> classes;
    for (uint32_t code = 0; code < classes.size(); ++code) classes[code] = LookUp(code);
    return classes;
  }();
  return code_point < kAscii.size() ? kAscii[code_point] : LookUp(code_point);
}

struct Char {
  CharClass char_class;
  size_t length;
};

Char CharAt(absl::string_view text, size_t offset) {
  Utf8Step step = NextUtf8(text.substr(offset));
  return {ClassOf(step.code_point), static_cast<size_t>(step.length)};
}

// The end of the run of one class that begins at `offset`, and the start of its last character.
struct Run {
  size_t end;
  size_t last_start;
};

Run RunAt(absl::string_view text, size_t offset) {
  Char first = CharAt(text, offset);
  Run run{offset + first.length, offset};
  while (run.end < text.size()) {
    Char next = CharAt(text, run.end);
    if (next.char_class != first.char_class) break;
    run.last_start = run.end;
    run.end += next.length;
  }
  return run;
}

// The start of the code point that ends at `end`.
size_t LastStart(absl::string_view text, size_t end) {
  size_t start = end - 1;
  while (start > 0 && (static_cast<uint8_t>(text[start]) & 0xC0) == 0x80) --start;
  return start;
}

size_t ContractionLength(absl::string_view text) {
  for (absl::string_view contraction : {"'s", "'t", "'re", "'ve", "'m", "'ll", "'d"}) {
    if (absl::StartsWith(text, contraction)) return contraction.size();
  }
  return 0;
}

size_t WordLength(absl::string_view text) {
  if (size_t contraction = ContractionLength(text); contraction > 0) return contraction;
  size_t start = text[0] == ' ' && text.size() > 1 && CharAt(text, 1).char_class != CharClass::kSpace ? 1 : 0;
  Run run = RunAt(text, start);
  bool spaces = CharAt(text, start).char_class == CharClass::kSpace;
  // \s+(?!\S): spaces before a word leave their last one to it.
  if (spaces && run.end < text.size() && run.last_start > 0) return run.last_start;
  return run.end;
}

}  // namespace

void SplitGpt2(absl::string_view text, const std::function<void(absl::string_view word)>& take) {
  while (!text.empty()) {
    size_t length = WordLength(text);
    take(text.substr(0, length));
    text.remove_prefix(length);
  }
}

bool IsSafeCut(absl::string_view text, size_t offset) {
  if (offset == 0 || offset >= text.size() || !absl::ascii_isspace(static_cast<unsigned char>(text[offset]))) {
    return false;
  }
  return CharAt(text, LastStart(text, offset)).char_class != CharClass::kSpace;
}

}  // namespace superpose
