// Any text through a sound tokenizer, and any ids.
#include <cstring>
#include <vector>

#include "lib/tokenizer/tokenizer.h"
#include "lib/tokenizer/utf8.h"
#include "tests/fuzz/fuzz.h"

namespace superpose {
namespace {

void EncodeAndDecode(const Tokenizer& tokenizer, absl::string_view text) {
  for (const bool parse_special : {false, true}) {
    const auto ids = tokenizer.Encode(text, parse_special);
    fuzz::RequireHonest(ids.status());
    fuzz::Require(ids.ok() == CheckUtf8(text).ok(), "valid UTF-8 is encoded, and nothing else");
    if (!ids.ok()) continue;
    const size_t cut = tokenizer.SafeCut(text, text.size() / 2 + 1);
    std::vector<int32_t> parts = *tokenizer.Encode(text.substr(0, cut), parse_special);
    const std::vector<int32_t> rest = *tokenizer.Encode(text.substr(cut), parse_special);
    parts.insert(parts.end(), rest.begin(), rest.end());
    fuzz::Require(parts == *ids, "a text that is encoded in two parts has other ids");
    const auto decoded = tokenizer.Decode(*ids);
    fuzz::Require(decoded.ok() && *decoded == text, "a text that was encoded and decoded is another");
  }
}

void DecodeIds(const Tokenizer& tokenizer, absl::string_view bytes) {
  std::vector<int32_t> ids(bytes.size() / sizeof(int32_t));
  if (!ids.empty()) std::memcpy(ids.data(), bytes.data(), ids.size() * sizeof(int32_t));
  fuzz::RequireHonest(tokenizer.Decode(ids).status());
  for (int32_t& id : ids) id = static_cast<int32_t>(static_cast<uint32_t>(id) % tokenizer.vocab_size());
  const auto text = tokenizer.Decode(ids);
  fuzz::Require(text.ok() && CheckUtf8(*text).ok(), "ids in range decode to valid UTF-8");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const auto tokenizer = Tokenizer::Load(SUPERPOSE_TEST_DATA "/tokenizer/json");
  fuzz::Require(tokenizer.ok(), "the test's own tokenizer does not load");
  EncodeAndDecode(**tokenizer, fuzz::Text(data, size));
  DecodeIds(**tokenizer, fuzz::Text(data, size));
  return 0;
}

}  // namespace superpose
