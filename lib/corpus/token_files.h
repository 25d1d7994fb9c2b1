#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "lib/corpus/corpus_files.h"
#include "lib/corpus/token_ids.h"

namespace superpose {

// The ids of token files, one after the other.
struct TokenFiles {
  TokenIds ids;
  int64_t row_length = 0;  // of 2-D arrays; 0 for 1-D ones and .bin
};

// Maps .npy and .bin files; nothing is copied, so put a new file in an old one's place by renaming it: what is written
// into a mapped file changes the corpus under its hash, and one that is cut off ends the process. Errors name the file:
// FILE_UNSUPPORTED for what holds no token ids and for arrays whose rows do not fit those of the first;
// TOKEN_OUT_OF_RANGE; EMPTY_INPUT; FILE_CORRUPT; CONFIG_INVALID for a dtype of .bin files that is neither "uint16" nor
// "uint32", and where none is said, for .bin files that look like 32-bit ids.
absl::StatusOr<TokenFiles> MapTokenFiles(const std::vector<CorpusFile>& files, const std::string& token_dtype,
                                         int64_t vocab_size);

}  // namespace superpose
