// Documents out of text files, one after the other.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace superpose::cli {

// Calls back with each document of a .txt file (one) or a .jsonl file ({"text": ..} a line; blank lines are passed
// over), either also as .gz or .zst, and how many bytes of the file are read; stops with the callback's first error.
// A long .txt comes in parts (PartEnd), of which the first `begins`: only a part, or a line, is held in memory.
// NOT_FOUND / FILE_NOT_FOUND; INVALID_ARGUMENT / FILE_UNSUPPORTED for other endings; FILE_CORRUPT names the line; those
// of FileBlocks.
absl::Status ReadDocuments(
    const std::string& path,
    const std::function<absl::Status(absl::string_view text, bool begins, int64_t bytes)>& on_part);

// The end of the first part of a long text: up to `most` bytes (1 or more) or somewhat more, so that its tokens and
// those of the rest are, together, the tokens of the whole. It is before ASCII whitespace that follows something else,
// in any script: a token never goes on with whitespace after something else.
size_t PartEnd(absl::string_view text, size_t most);

}  // namespace superpose::cli
