// A corpus: a source of token sequences of one length, from text or token files, seekable.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "lib/corpus/corpus_files.h"
#include "lib/tokenizer/tokenizer.h"

namespace superpose {

enum class CorpusSplit { kTrain, kHeldout, kAll };

// How documents become sequences is the reference's rule: documents joined by end-of-text, cut into chunks of
// context_length - 1, the remainder dropped, BOS put before each chunk. A 2-D token array is used as it is: row =
// sequence. 1-D token files are cut like text. Files follow one another: documents are joined across them, and token
// files as if they were one. Text documents are held out when the first 8 bytes of the SHA-256 of
// their text, as a big-endian number, modulo 100 is under 5; token arrays have no split.
class Corpus {
 public:
  // Text formats need a tokenizer (TOKENIZER_MISSING) and are tokenized at once; token files are mapped and never
  // copied. Errors: those of ListFiles, ByteBlocks and the formats; TOKEN_OUT_OF_RANGE for an id not under vocab_size,
  // BOS and end-of-text included where they are used; FILE_UNSUPPORTED for a dtype that is no integer; INVALID_UTF8;
  // EMPTY_INPUT.
  static absl::StatusOr<std::shared_ptr<const Corpus>> Load(const CorpusFiles& files, const Tokenizer* tokenizer,
                                                            int64_t vocab_size, int64_t bos_token_id,
                                                            int64_t eos_token_id);

  bool is_array() const { return row_length_ > 0; }  // a 2-D array: sequences have the length they have
  int64_t row_length() const { return row_length_; }
  int64_t documents() const { return documents_; }                  // 0 for token files
  int64_t tokens() const;                                           // all splits, end-of-text included, BOS not
  int64_t heldout_documents() const { return heldout_documents_; }  // 0 for token files
  int64_t heldout_tokens() const { return heldout_tokens_; }        // end-of-text between them included
  int64_t files() const { return files_; }
  const std::string& content_hash() const { return content_hash_; }  // of the token ids and the cut

  // Sequences of `context_length` tokens (BOS included). INVALID_ARGUMENT / CONFIG_INVALID when an array's rows have
  // another length or a split is asked of an array; CORPUS_TOO_SMALL when not one sequence results. The view keeps the
  // corpus alive.
  absl::StatusOr<std::shared_ptr<const class TokenSequences>> Sequences(int64_t context_length,
                                                                        CorpusSplit split) const;

 private:
  struct Content;
  Corpus() = default;
  absl::Status LoadText(const std::vector<CorpusFile>& files, const Tokenizer* tokenizer, int64_t vocab_size,
                        const CorpusFiles& wanted);
  absl::Status LoadTokens(const std::vector<CorpusFile>& files, const std::string& token_dtype, int64_t vocab_size);
  absl::Status CheckSpecialIds(int64_t vocab_size) const;
  void CountHeldout();
  std::string Hash() const;
  absl::StatusOr<std::shared_ptr<const class TokenSequences>> Rows(int64_t context_length) const;
  absl::StatusOr<std::shared_ptr<const class TokenSequences>> Chunks(int64_t context_length, CorpusSplit split) const;

  int64_t row_length_ = 0;
  int64_t documents_ = 0;
  int64_t heldout_documents_ = 0;
  int64_t heldout_tokens_ = 0;
  int64_t files_ = 0;
  int64_t bos_token_id_ = 0;
  int64_t eos_token_id_ = 0;
  std::string content_hash_;
  std::shared_ptr<const Content> content_;  // views keep it alive
};

// `count()` sequences by index.
class TokenSequences {
 public:
  virtual ~TokenSequences() = default;
  virtual int64_t count() const = 0;
  virtual int64_t length() const = 0;  // tokens of a sequence
  // Sequences `indices` as int64 [indices.size(), length()] on the CPU.
  virtual at::Tensor Gather(const std::vector<int64_t>& indices) const = 0;
};

enum class SequenceOrder { kShuffled, kSequential };

// Endless batches of sequence indices: in order, or a new seeded permutation each pass. The position is one number, so
// a job that resumes calls Seek with the number of sequences it had taken and goes on exactly where it was.
class SequenceSampler {
 public:
  SequenceSampler(int64_t count, SequenceOrder order, uint64_t seed);
  void Seek(int64_t sequences_taken);
  int64_t sequences_taken() const { return taken_; }
  std::vector<int64_t> Next(int64_t batch_size);

 private:
  void Shuffle(int64_t pass);

  int64_t count_;
  SequenceOrder order_;
  uint64_t seed_;
  int64_t taken_ = 0;
  int64_t shuffled_pass_ = -1;
  std::vector<int64_t> permutation_;  // of that pass
};

}  // namespace superpose
