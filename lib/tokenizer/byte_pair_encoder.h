#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace superpose {

// GPT-2's reversible map between bytes and printable characters, in which vocabularies are spelled.
std::string SpellByte(uint8_t byte);
// The bytes of a spelled token; false when a character stands for no byte.
bool BytesOfSpelling(absl::string_view spelling, std::string* bytes);

using Vocabulary = absl::flat_hash_map<std::string, int32_t>;  // spelled token -> id

// Byte-pair encoding of one word: the pair of lowest rank is merged until none is left.
class BytePairEncoder {
 public:
  // TOKENIZER_UNSUPPORTED when the vocabulary lacks a byte; FILE_CORRUPT when a merge is not of tokens in it.
  static absl::StatusOr<BytePairEncoder> Create(const Vocabulary& vocabulary,
                                                const std::vector<std::pair<std::string, std::string>>& merges);

  // Encoding takes up to some 60 times a word's size in memory.
  static constexpr size_t kMostWordBytes = size_t{16} << 20;

  // Appends the word's ids; O(n log n) in its length. FILE_UNSUPPORTED when it has more than kMostWordBytes.
  absl::Status Encode(absl::string_view word, std::vector<int32_t>* ids) const;

 private:
  struct Merge {
    int32_t rank;
    int32_t id;
  };
  const Merge* Find(int32_t left, int32_t right) const;

  std::vector<int32_t> byte_ids_;
  absl::flat_hash_map<uint64_t, Merge> merges_;  // by both ids
};

}  // namespace superpose
