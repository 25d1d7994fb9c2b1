#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "lib/corpus/corpus_files.h"
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

// Adds the documents of a file. .txt: the whole file is one, at most kMostDocumentBytes (FILE_UNSUPPORTED) when it is
// compressed. .jsonl: {"text": ..} a line; blank lines are passed over. Special tokens in text are plain text. Errors
// name the file, and the line: FILE_CORRUPT, INVALID_UTF8, FILE_UNSUPPORTED for words that no tokenizer takes
// (Tokenizer::Encode), and those of ByteBlocks. `is_cancelled` may be null; it is asked between lines and between parts
// of long documents: CANCELLED.
absl::Status AddDocuments(const CorpusFile& file, const Tokenizer& tokenizer, const std::function<bool()>& is_cancelled,
                          TextDocuments* documents);

}  // namespace superpose
