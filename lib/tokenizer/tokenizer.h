// Byte-level BPE as GPT-2 uses it, identical to Hugging Face tokenizers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace superpose {

// Immutable after loading; all methods may be called from many threads.
class Tokenizer {
 public:
  // Reads `folder`/tokenizer.json, or vocab.json + merges.txt when there is none. TOKENIZER_MISSING when neither is
  // there; TOKENIZER_UNSUPPORTED names what tokenizer.json asks for that this tokenizer does not do (another model,
  // normalizer or pre-tokenizer); FILE_CORRUPT.
  static absl::StatusOr<std::shared_ptr<const Tokenizer>> Load(const std::string& folder);

  int64_t vocab_size() const;
  // No token stands for more bytes of text.
  int64_t longest_token_bytes() const;

  // Text to ids, nothing added. With parse_special the text of a special token (<|endoftext|>) is that token; without,
  // it is plain text. INVALID_UTF8 says at which byte; FILE_UNSUPPORTED when a word has more than
  // BytePairEncoder::kMostWordBytes.
  absl::StatusOr<std::vector<int32_t>> Encode(absl::string_view text, bool parse_special) const;
  // Where a long text can be cut, so that it is encoded part by part: the ids of both parts are, one after the other,
  // those of the whole. The first such place at or after `least` (1 or more), or the text's size: whitespace of ASCII
  // after something else.
  size_t SafeCut(absl::string_view text, size_t least) const;

  // Ids to text; byte sequences that are no UTF-8 become U+FFFD as in Python's errors="replace". TOKEN_OUT_OF_RANGE.
  absl::StatusOr<std::string> Decode(absl::Span<const int32_t> ids) const;
  // The text of one token alone, for display.
  absl::StatusOr<std::string> TokenText(int32_t id) const;

 private:
  Tokenizer();
  struct Impl;
  std::shared_ptr<const Impl> impl_;
};

}  // namespace superpose
