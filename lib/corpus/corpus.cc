#include "lib/corpus/corpus.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <array>
#include <memory>
#include <numeric>
#include <utility>

#include "absl/strings/str_cat.h"
#include "lib/base/error.h"
#include "lib/base/sha256.h"
#include "lib/base/status_macros.h"
#include "lib/base/torch_guard.h"
#include "lib/corpus/text_documents.h"
#include "lib/corpus/token_files.h"
#include "lib/corpus/token_ids.h"
#include "lib/corpus/token_stream.h"

namespace superpose {

// Documents, if it is text, and the ids of all.
struct Corpus::Content {
  TextDocuments documents;
  TokenIds ids;
};

namespace {

// Rows of an array, as they are.
class RowSequences final : public TokenSequences {
 public:
  RowSequences(std::shared_ptr<const void> owner, const TokenIds* ids, int64_t length)
      : owner_(std::move(owner)), ids_(ids), length_(length) {}
  int64_t count() const override { return ids_->size() / length_; }
  int64_t length() const override { return length_; }
  at::Tensor Gather(const std::vector<int64_t>& indices) const override {
    at::Tensor tokens = at::empty({static_cast<int64_t>(indices.size()), length_}, at::kLong);
    int64_t* row = tokens.mutable_data_ptr<int64_t>();
    for (const int64_t index : indices) {
      ids_->Read(index * length_, length_, row);
      row += length_;
    }
    return tokens;
  }

 private:
  const std::shared_ptr<const void> owner_;
  const TokenIds* const ids_;
  const int64_t length_;
};

// Chunks of a stream, a BOS before each; the remainder is dropped.
class ChunkSequences final : public TokenSequences {
 public:
  ChunkSequences(std::shared_ptr<const void> owner, std::unique_ptr<const TokenStream> stream, int64_t length,
                 int64_t bos_token_id)
      : owner_(std::move(owner)), stream_(std::move(stream)), length_(length), bos_token_id_(bos_token_id) {}
  int64_t count() const override { return stream_->size() / (length_ - 1); }
  int64_t length() const override { return length_; }
  at::Tensor Gather(const std::vector<int64_t>& indices) const override {
    at::Tensor tokens = at::empty({static_cast<int64_t>(indices.size()), length_}, at::kLong);
    int64_t* row = tokens.mutable_data_ptr<int64_t>();
    for (const int64_t index : indices) {
      row[0] = bos_token_id_;
      stream_->Read(index * (length_ - 1), length_ - 1, row + 1);
      row += length_;
    }
    return tokens;
  }

 private:
  const std::shared_ptr<const void> owner_;
  const std::unique_ptr<const TokenStream> stream_;
  const int64_t length_;
  const int64_t bos_token_id_;
};

void HashIds(const TokenIds& ids, Sha256& hash) {
  std::array<int64_t, 4096> block;
  std::array<int32_t, 4096> narrow;
  for (int64_t begin = 0; begin < ids.size(); begin += block.size()) {
    const int64_t count = std::min<int64_t>(block.size(), ids.size() - begin);
    ids.Read(begin, count, block.data());
    std::transform(block.begin(), block.begin() + count, narrow.begin(),
                   [](int64_t id) { return static_cast<int32_t>(id); });
    hash.Update(narrow.data(), count * sizeof(int32_t));
  }
}

// What is allocated: room for more included, which growing vectors have.
int64_t BytesOf(const TextDocuments& documents) {
  return static_cast<int64_t>(documents.ids.capacity() * sizeof(int32_t) +
                              documents.starts.capacity() * sizeof(int64_t) + documents.heldout.capacity() / 8);
}

absl::Status AddDocumentsHeld(const CorpusFile& file, const Tokenizer& tokenizer, const CorpusFiles& wanted,
                              TextDocuments* documents) {
  if (wanted.hold == nullptr) return AddDocuments(file, tokenizer, wanted.is_cancelled, documents);
  absl::Status held;
  const auto is_to_end = [&] {
    held = wanted.hold(BytesOf(*documents));
    return !held.ok() || (wanted.is_cancelled != nullptr && wanted.is_cancelled());
  };
  const absl::Status added = AddDocuments(file, tokenizer, is_to_end, documents);
  SUPERPOSE_RETURN_IF_ERROR(held);
  SUPERPOSE_RETURN_IF_ERROR(added);
  return wanted.hold(BytesOf(*documents));
}

std::vector<int64_t> DocumentsOf(const TextDocuments& documents, CorpusSplit split) {
  std::vector<int64_t> chosen;
  for (int64_t document = 0; document < documents.count(); ++document) {
    const bool wanted = split == CorpusSplit::kAll || documents.heldout[document] == (split == CorpusSplit::kHeldout);
    if (wanted) chosen.push_back(document);
  }
  return chosen;
}

absl::string_view NameOf(CorpusSplit split) {
  if (split == CorpusSplit::kTrain) return "train";
  return split == CorpusSplit::kHeldout ? "heldout" : "all";
}

}  // namespace

absl::StatusOr<std::shared_ptr<const Corpus>> Corpus::Load(const CorpusFiles& files, const Tokenizer* tokenizer,
                                                           int64_t vocab_size, int64_t bos_token_id,
                                                           int64_t eos_token_id) {
  SUPERPOSE_ASSIGN_OR_RETURN(const std::vector<CorpusFile> listed, ListFiles(files));
  return CatchTorch([&]() -> absl::StatusOr<std::shared_ptr<const Corpus>> {
    std::shared_ptr<Corpus> corpus(new Corpus());
    corpus->bos_token_id_ = bos_token_id;
    corpus->eos_token_id_ = eos_token_id;
    corpus->files_ = static_cast<int64_t>(listed.size());
    const CorpusFormat format = listed.front().format;
    const bool is_text = format == CorpusFormat::kText || format == CorpusFormat::kJsonLines;
    SUPERPOSE_RETURN_IF_ERROR(is_text ? corpus->LoadText(listed, tokenizer, vocab_size, files)
                                      : corpus->LoadTokens(listed, files.token_dtype, vocab_size));
    SUPERPOSE_RETURN_IF_ERROR(corpus->CheckSpecialIds(vocab_size));
    corpus->content_hash_ = corpus->Hash();
    return std::shared_ptr<const Corpus>(std::move(corpus));
  });
}

absl::Status Corpus::LoadText(const std::vector<CorpusFile>& files, const Tokenizer* tokenizer, int64_t vocab_size,
                              const CorpusFiles& wanted) {
  const std::string& first = files.front().path;
  if (tokenizer == nullptr) {
    return FailedPrecondition(reason::kTokenizerMissing, first,
                              " is text, and the model has no tokenizer: give .npy or .bin");
  }
  auto content = std::make_shared<Content>();
  TextDocuments& documents = content->documents;
  for (const CorpusFile& file : files) {
    SUPERPOSE_RETURN_IF_ERROR(AddDocumentsHeld(file, *tokenizer, wanted, &documents));
  }
  if (documents.ids.empty()) {
    return InvalidArgument(reason::kEmptyInput, first, files.size() > 1 ? " and the files after it have" : " has",
                           " no text");
  }
  SUPERPOSE_ASSIGN_OR_RETURN(content->ids, TokenIds::Create(/*owner=*/nullptr, documents.ids.data(),
                                                            static_cast<int64_t>(documents.ids.size()), at::kInt));
  SUPERPOSE_RETURN_IF_ERROR(WithContext(content->ids.Check(vocab_size), first));
  documents_ = documents.count();
  content_ = std::move(content);
  CountHeldout();
  return absl::OkStatus();
}

absl::Status Corpus::LoadTokens(const std::vector<CorpusFile>& files, const std::string& token_dtype,
                                int64_t vocab_size) {
  SUPERPOSE_ASSIGN_OR_RETURN(TokenFiles mapped, MapTokenFiles(files, token_dtype, vocab_size));
  auto content = std::make_shared<Content>();
  content->ids = std::move(mapped.ids);
  content_ = std::move(content);
  row_length_ = mapped.row_length;
  return absl::OkStatus();
}

absl::Status Corpus::CheckSpecialIds(int64_t vocab_size) const {
  auto check = [&](absl::string_view name, int64_t id) {
    if (id >= 0 && id < vocab_size) return absl::OkStatus();
    return InvalidArgument(reason::kTokenOutOfRange, "the model's ", name, " is ", id, ", which is not in 0 .. ",
                           vocab_size - 1);
  };
  if (is_array()) return absl::OkStatus();  // its rows are used as they are
  SUPERPOSE_RETURN_IF_ERROR(check("bos_token_id", bos_token_id_));
  return documents_ == 0 ? absl::OkStatus() : check("eos_token_id", eos_token_id_);
}

void Corpus::CountHeldout() {
  const std::vector<int64_t> heldout = DocumentsOf(content_->documents, CorpusSplit::kHeldout);
  heldout_documents_ = static_cast<int64_t>(heldout.size());
  heldout_tokens_ = DocumentStream(&content_->documents, heldout, eos_token_id_).size();
}

int64_t Corpus::tokens() const { return content_->ids.size() + std::max<int64_t>(documents_ - 1, 0); }

std::string Corpus::Hash() const {
  Sha256 hash;
  hash.Update(absl::StrCat("superpose-corpus-1 rows ", row_length_, " documents ", documents_, " bos ", bos_token_id_,
                           " eos ", eos_token_id_, "\n"));
  const std::vector<int64_t>& starts = content_->documents.starts;
  hash.Update(starts.data(), starts.size() * sizeof(int64_t));
  HashIds(content_->ids, hash);
  return hash.HexDigest();
}

absl::StatusOr<std::shared_ptr<const TokenSequences>> Corpus::Sequences(int64_t context_length,
                                                                        CorpusSplit split) const {
  if (context_length < 1) {
    return InvalidArgument(reason::kConfigInvalid, "context_length is ", context_length, ": it must be 1 or more");
  }
  if (documents_ == 0 && split != CorpusSplit::kAll) {
    return InvalidArgument(reason::kConfigInvalid, "a token file has no split \"", NameOf(split), "\": ask for all");
  }
  if (is_array()) return Rows(context_length);
  return Chunks(context_length, split);
}

absl::StatusOr<std::shared_ptr<const TokenSequences>> Corpus::Rows(int64_t context_length) const {
  if (context_length != row_length_) {
    return InvalidArgument(reason::kConfigInvalid, "context_length is ", context_length, " but the array's rows have ",
                           row_length_, " tokens: leave it out, or set it to that");
  }
  return std::make_shared<RowSequences>(content_, &content_->ids, row_length_);
}

absl::StatusOr<std::shared_ptr<const TokenSequences>> Corpus::Chunks(int64_t context_length, CorpusSplit split) const {
  if (context_length < 2) {
    return InvalidArgument(reason::kConfigInvalid, "context_length is 1: a BOS and at least one token make 2");
  }
  std::unique_ptr<TokenStream> stream;
  if (documents_ > 0) {
    stream =
        std::make_unique<DocumentStream>(&content_->documents, DocumentsOf(content_->documents, split), eos_token_id_);
  } else {
    stream = std::make_unique<FileStream>(&content_->ids);
  }
  const int64_t tokens = stream->size();
  auto chunks = std::make_shared<ChunkSequences>(content_, std::move(stream), context_length, bos_token_id_);
  if (chunks->count() > 0) return chunks;
  const std::string documents =
      documents_ == 0 ? ""
                      : absl::StrCat("; ", heldout_documents_, " of ", documents_, " documents are held out: ask for ",
                                     "split \"all\", or give more (a .txt file is one, a .jsonl file has one a line)");
  return FailedPrecondition(reason::kCorpusTooSmall, "split \"", NameOf(split), "\" has ", tokens,
                            " tokens: one sequence of context_length ", context_length, " takes ", context_length - 1,
                            documents);
}

}  // namespace superpose
