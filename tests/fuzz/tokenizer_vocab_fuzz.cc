// A vocab.json and a merges.txt.
#include "lib/tokenizer/tokenizer.h"
#include "tests/fuzz/fuzz.h"

namespace superpose {

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const fuzz::Folder folder;
  const auto [merges, vocab] = fuzz::TwoFiles(fuzz::Text(data, size));
  folder.Write("merges.txt", merges);
  folder.Write("vocab.json", vocab);
  const auto tokenizer = Tokenizer::Load(folder.path());
  fuzz::RequireHonest(tokenizer.status());
  if (!tokenizer.ok()) return 0;
  const auto ids = (*tokenizer)->Encode("It's 10 <|endoftext|>\xc3\xa9\xe2\x82\xac  ", /*parse_special=*/true);
  fuzz::Require(ids.ok(), "a text cannot be encoded");
  fuzz::Require((*tokenizer)->Decode(*ids).ok(), "what it encoded cannot be decoded");
  return 0;
}

}  // namespace superpose
