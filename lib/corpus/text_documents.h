#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "lib/tokenizer/tokenizer.h"

namespace superpose {

// The tokenized documents of a text corpus, one after the other.
struct TextDocuments {
  std::vector<int32_t> ids;
  std::vector<int64_t> starts = {0};  // [documents + 1]: document d is ids starts[d] .. starts[d + 1] - 1
  std::vector<bool> heldout;          // [documents]

  int64_t count() const { return static_cast<int64_t>(heldout.size()); }
};

// Whether a document is held out: the first 8 bytes of the SHA-256 of its text, as a big-endian number, modulo 100 is
// under 5.
bool IsHeldout(absl::string_view text);

// .txt: the whole file is one document. Special tokens in it are plain text. INVALID_UTF8, EMPTY_INPUT.
absl::StatusOr<TextDocuments> ReadTextFile(const std::string& path, const Tokenizer& tokenizer);
// .jsonl: {"text": ..} a line; blank lines are passed over. Errors name the line: FILE_CORRUPT, INVALID_UTF8;
// EMPTY_INPUT.
absl::StatusOr<TextDocuments> ReadJsonLines(const std::string& path, const Tokenizer& tokenizer);

}  // namespace superpose
