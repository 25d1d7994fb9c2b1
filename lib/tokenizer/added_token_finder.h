#pragma once

#include <array>
#include <cstdint>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "lib/tokenizer/tokenizer_files.h"

namespace superpose {

// Finds added tokens in text, in time that does not depend on how many there are. Immutable.
class AddedTokenFinder {
 public:
  struct Match {
    size_t offset;
    const AddedToken* token;  // null: there is none, and offset is the text's size
  };

  // Of tokens with the same text the first counts. None is empty.
  explicit AddedTokenFinder(std::vector<AddedToken> tokens);
  AddedTokenFinder(AddedTokenFinder&&) = default;

  // The first token in `text`: leftmost, then longest. Special ones only with parse_special.
  Match Find(absl::string_view text, bool parse_special) const;

  // Whether a token, special or not, begins before and ends after `offset` of a text that has a safe cut there
  // (gpt2_splitter.h).
  bool IsAcross(absl::string_view text, size_t offset) const;

 private:
  // The tokens that end at a node of the tree of all tokens' bytes, if any.
  struct Node {
    const AddedToken* any = nullptr;
    const AddedToken* not_special = nullptr;
  };

  void Insert(const AddedToken& token);
  // The longest token that `text` begins with, or null.
  const AddedToken* LongestAt(absl::string_view text, bool parse_special) const;

  // A safe cut inside a token.
  struct Cut {
    const AddedToken* token;
    size_t offset;
  };

  std::vector<AddedToken> tokens_;
  std::vector<Cut> cuts_;
  std::vector<Node> nodes_;                                               // the root first
  absl::flat_hash_map<std::pair<int32_t, uint8_t>, int32_t> next_nodes_;  // by node and byte
  std::array<bool, 256> begins_token_{};                                  // by byte
};

}  // namespace superpose
