#include "lib/tokenizer/byte_pair_encoder.h"

#include <array>
#include <queue>
#include <tuple>

#include "lib/base/error.h"
#include "lib/tokenizer/utf8.h"

namespace superpose {
namespace {

// Bytes that are printable in Latin-1 stand for themselves, the others for U+0100 and up in order (openai/gpt-2,
// encoder.py).
const std::array<uint32_t, 256>& CodePointOfByte() {
  static const std::array<uint32_t, 256> table = [] {
    std::array<uint32_t, 256> codes;
    uint32_t next = 256;
    for (uint32_t byte = 0; byte < 256; ++byte) {
      bool printable = (byte >= '!' && byte <= '~') || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
      codes[byte] = printable ? byte : next++;
    }
    return codes;
  }();
  return table;
}

const absl::flat_hash_map<uint32_t, uint8_t>& ByteOfCodePoint() {
  static const absl::flat_hash_map<uint32_t, uint8_t> table = [] {
    absl::flat_hash_map<uint32_t, uint8_t> bytes;
    for (uint32_t byte = 0; byte < 256; ++byte) bytes[CodePointOfByte()[byte]] = static_cast<uint8_t>(byte);
    return bytes;
  }();
  return table;
}

uint64_t PairKey(int32_t left, int32_t right) {
  return static_cast<uint64_t>(static_cast<uint32_t>(left)) << 32 | static_cast<uint32_t>(right);
}

// A word being merged: a linked list of tokens.
struct Piece {
  int32_t id;
  int previous;
  int next;
};

// A possible merge: lowest rank first, then leftmost.
using Candidate = std::tuple<int32_t, int, int32_t, int32_t>;  // rank, left piece, left id, right id

}  // namespace

std::string SpellByte(uint8_t byte) {
  std::string spelling;
  AppendUtf8(CodePointOfByte()[byte], &spelling);
  return spelling;
}

bool BytesOfSpelling(absl::string_view spelling, std::string* bytes) {
  while (!spelling.empty()) {
    Utf8Step step = NextUtf8(spelling);
    auto found = step.valid ? ByteOfCodePoint().find(step.code_point) : ByteOfCodePoint().end();
    if (found == ByteOfCodePoint().end()) return false;
    bytes->push_back(static_cast<char>(found->second));
    spelling.remove_prefix(step.length);
  }
  return true;
}

absl::StatusOr<BytePairEncoder> BytePairEncoder::Create(
    const Vocabulary& vocabulary, const std::vector<std::pair<std::string, std::string>>& merges) {
  BytePairEncoder encoder;
  for (int byte = 0; byte < 256; ++byte) {
    auto found = vocabulary.find(SpellByte(static_cast<uint8_t>(byte)));
    if (found == vocabulary.end())
      return FailedPrecondition(reason::kTokenizerUnsupported, "the vocabulary lacks byte ", byte,
                                ": it is not byte-level");
    encoder.byte_ids_.push_back(found->second);
  }
  int32_t rank = 0;
  for (const auto& [left, right] : merges) {
    auto left_id = vocabulary.find(left), right_id = vocabulary.find(right), merged = vocabulary.find(left + right);
    if (left_id == vocabulary.end() || right_id == vocabulary.end() || merged == vocabulary.end()) {
      return InvalidArgument(reason::kFileCorrupt, "the merge of \"", left, "\" and \"", right,
                             "\" is not of tokens in the vocabulary");
    }
    // Of a merge that stands twice the last counts, as in Hugging Face tokenizers.
    encoder.merges_.insert_or_assign(PairKey(left_id->second, right_id->second), Merge{rank++, merged->second});
  }
  return encoder;
}

const BytePairEncoder::Merge* BytePairEncoder::Find(int32_t left, int32_t right) const {
  auto found = merges_.find(PairKey(left, right));
  return found == merges_.end() ? nullptr : &found->second;
}

absl::Status BytePairEncoder::Encode(absl::string_view word, std::vector<int32_t>* ids) const {
  if (word.size() > kMostWordBytes) {
    return InvalidArgument(reason::kFileUnsupported, "the text has ", word.size(),
                           " bytes without a border between words; at most ", kMostWordBytes, " can be one word");
  }
  std::vector<Piece> pieces;
  const int count = static_cast<int>(word.size());
  pieces.reserve(word.size());
  for (int i = 0; i < count; ++i)
    pieces.push_back({byte_ids_[static_cast<uint8_t>(word[i])], i - 1, i + 1 < count ? i + 1 : -1});
  std::priority_queue<Candidate, std::vector<Candidate>, std::greater<>> candidates;
  auto consider = [&](int left) {
    if (left < 0 || pieces[left].next < 0) return;
    int32_t left_id = pieces[left].id, right_id = pieces[pieces[left].next].id;
    if (const Merge* merge = Find(left_id, right_id)) candidates.emplace(merge->rank, left, left_id, right_id);
  };
  for (int i = 0; i + 1 < count; ++i) consider(i);
  while (!candidates.empty()) {
    auto [rank, left, left_id, right_id] = candidates.top();
    candidates.pop();
    int right = pieces[left].next;
    // One of the two has been merged since.
    if (pieces[left].id != left_id || right < 0 || pieces[right].id != right_id) continue;
    pieces[left].id = Find(left_id, right_id)->id;
    pieces[left].next = pieces[right].next;
    pieces[right].id = -1;
    if (pieces[left].next >= 0) pieces[pieces[left].next].previous = left;
    consider(left);
    consider(pieces[left].previous);
  }
  for (int i = 0; i >= 0 && i < count; i = pieces[i].next) ids->push_back(pieces[i].id);
  return absl::OkStatus();
}

}  // namespace superpose
