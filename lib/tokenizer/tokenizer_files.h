#pragma once

#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "lib/tokenizer/byte_pair_encoder.h"

namespace superpose {

// A token that is matched in text as it stands.
struct AddedToken {
  std::string text;
  int32_t id;
  bool special;
  bool normalized;  // looked for only in what the tokens that are not normalized have left
};

// What a tokenizer's files say.
struct TokenizerFiles {
  Vocabulary vocabulary;  // added tokens included
  std::vector<std::pair<std::string, std::string>> merges;
  std::vector<AddedToken> added;
};

// tokenizer.json, or vocab.json + merges.txt when there is none. Errors: Tokenizer::Load.
absl::StatusOr<TokenizerFiles> ReadTokenizerFiles(const std::string& folder);

}  // namespace superpose
