// A corpus of one file. The first byte says of which kind.
#include <ATen/ATen.h>

#include <array>
#include <numeric>

#include "lib/corpus/corpus.h"
#include "tests/fuzz/fuzz.h"

namespace superpose {
namespace {

constexpr std::array kFormats = {".jsonl", ".jsonl.gz", ".jsonl.zst", ".txt", ".txt.gz", ".txt.zst", ".npy", ".bin"};

void Read(const Corpus& corpus, int64_t vocab_size) {
  const auto sequences = corpus.Sequences(corpus.is_array() ? corpus.row_length() : 4, CorpusSplit::kAll);
  fuzz::RequireHonest(sequences.status());
  if (!sequences.ok()) return;
  constexpr int64_t kMostSequences = 1000;
  std::vector<int64_t> indices(std::min((*sequences)->count(), kMostSequences));
  std::iota(indices.begin(), indices.end(), (*sequences)->count() - static_cast<int64_t>(indices.size()));
  const at::Tensor ids = (*sequences)->Gather(indices);
  fuzz::Require(ids.min().item<int64_t>() >= 0 && ids.max().item<int64_t>() < vocab_size, "an id out of range");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const fuzz::Folder folder;
  static const auto tokenizer = Tokenizer::Load(SUPERPOSE_TEST_DATA "/tokenizer/json");
  fuzz::Require(tokenizer.ok(), "the test's own tokenizer does not load");
  if (size == 0) return 0;
  CorpusFiles files;
  files.format = kFormats[data[0] % kFormats.size()];
  files.token_dtype = (data[0] & 0x80) != 0 ? "uint32" : "";
  files.paths = {folder.Write("corpus", fuzz::Text(data, size).substr(1))};
  const int64_t vocab_size = (*tokenizer)->vocab_size();
  const auto corpus = Corpus::Load(files, tokenizer->get(), vocab_size, vocab_size - 1, vocab_size - 1);
  fuzz::RequireHonest(corpus.status());
  if (corpus.ok()) Read(**corpus, vocab_size);
  return 0;
}

}  // namespace superpose
