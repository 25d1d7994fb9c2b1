#include "lib/corpus/corpus.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <array>
#include <memory>
#include <numeric>
#include <optional>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "lib/base/error.h"
#include "lib/base/mapped_file.h"
#include "lib/base/sha256.h"
#include "lib/base/status_macros.h"
#include "lib/base/torch_guard.h"
#include "lib/corpus/text_documents.h"
#include "lib/corpus/token_ids.h"
#include "lib/corpus/token_stream.h"
#include "lib/tensor_io/mapped_tensor.h"
#include "lib/tensor_io/npy.h"

namespace superpose {

// Either documents or token ids.
struct Corpus::Content {
  TextDocuments documents;
  std::optional<TokenIds> ids;
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

absl::StatusOr<at::Tensor> ReadBin(const CorpusFile& file) {
  const bool wide = file.token_dtype == "uint32";
  if (!wide && !file.token_dtype.empty() && file.token_dtype != "uint16") {
    return InvalidArgument(reason::kConfigInvalid, "token_dtype \"", file.token_dtype,
                           "\" must be \"uint16\" or \"uint32\"");
  }
  SUPERPOSE_ASSIGN_OR_RETURN(const auto mapped, MappedFile::Open(file.path));
  const size_t size = wide ? sizeof(uint32_t) : sizeof(uint16_t);
  if (mapped->size() % size != 0) {
    return InvalidArgument(reason::kFileCorrupt, file.path, " has ", mapped->size(), " bytes, not a multiple of ", size,
                           ": set token_dtype to what it holds");
  }
  return TensorOverFile(mapped, 0, wide ? at::kUInt32 : at::kUInt16, {static_cast<int64_t>(mapped->size() / size)});
}

absl::Status CheckArray(const at::Tensor& array, const std::string& path) {
  if (array.dim() != 1 && array.dim() != 2) {
    return InvalidArgument(reason::kFileUnsupported, path, " has ", array.dim(),
                           " dimensions: give tokens [tokens] or sequences [sequences, positions]");
  }
  if (array.numel() == 0) return InvalidArgument(reason::kEmptyInput, path, " has no tokens");
  return absl::OkStatus();
}

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

absl::StatusOr<std::shared_ptr<const Corpus>> Corpus::Load(const CorpusFile& file, const Tokenizer* tokenizer,
                                                           int64_t vocab_size, int64_t bos_token_id,
                                                           int64_t eos_token_id) {
  return CatchTorch([&]() -> absl::StatusOr<std::shared_ptr<const Corpus>> {
    std::shared_ptr<Corpus> corpus(new Corpus());
    corpus->bos_token_id_ = bos_token_id;
    corpus->eos_token_id_ = eos_token_id;
    const bool is_text = absl::EndsWith(file.path, ".txt") || absl::EndsWith(file.path, ".jsonl");
    SUPERPOSE_RETURN_IF_ERROR(is_text ? corpus->LoadText(file, tokenizer) : corpus->LoadTokens(file));
    SUPERPOSE_RETURN_IF_ERROR(WithContext(corpus->content_->ids->Check(vocab_size), file.path));
    corpus->content_hash_ = corpus->Hash();
    return std::shared_ptr<const Corpus>(std::move(corpus));
  });
}

absl::Status Corpus::LoadText(const CorpusFile& file, const Tokenizer* tokenizer) {
  if (tokenizer == nullptr) {
    return FailedPrecondition(reason::kTokenizerMissing, file.path,
                              " is text, and the model has no tokenizer: give .npy or .bin");
  }
  auto content = std::make_shared<Content>();
  const bool lines = absl::EndsWith(file.path, ".jsonl");
  SUPERPOSE_ASSIGN_OR_RETURN(content->documents,
                             lines ? ReadJsonLines(file.path, *tokenizer) : ReadTextFile(file.path, *tokenizer));
  std::vector<int32_t>& ids = content->documents.ids;
  SUPERPOSE_ASSIGN_OR_RETURN(content->ids,
                             TokenIds::Create(at::from_blob(ids.data(), {static_cast<int64_t>(ids.size())}, at::kInt)));
  documents_ = content->documents.count();
  content_ = std::move(content);
  return absl::OkStatus();
}

absl::Status Corpus::LoadTokens(const CorpusFile& file) {
  const bool is_npy = absl::EndsWith(file.path, ".npy");
  if (!is_npy && !absl::EndsWith(file.path, ".bin")) {
    return InvalidArgument(reason::kFileUnsupported, file.path, " must be .txt, .jsonl, .npy or .bin");
  }
  SUPERPOSE_ASSIGN_OR_RETURN(const at::Tensor array, is_npy ? ReadNpy(file.path) : ReadBin(file));
  SUPERPOSE_RETURN_IF_ERROR(CheckArray(array, file.path));
  auto ids = TokenIds::Create(array);
  if (!ids.ok()) return WithContext(ids.status(), file.path);
  auto content = std::make_shared<Content>();
  content->ids = *std::move(ids);
  content_ = std::move(content);
  row_length_ = array.dim() == 2 ? array.size(1) : 0;
  return absl::OkStatus();
}

int64_t Corpus::tokens() const { return content_->ids->size() + std::max<int64_t>(documents_ - 1, 0); }

std::string Corpus::Hash() const {
  Sha256 hash;
  hash.Update(absl::StrCat("superpose-corpus-1 rows ", row_length_, " documents ", documents_, " bos ", bos_token_id_,
                           " eos ", eos_token_id_, "\n"));
  const std::vector<int64_t>& starts = content_->documents.starts;
  hash.Update(starts.data(), starts.size() * sizeof(int64_t));
  HashIds(*content_->ids, hash);
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
  return std::make_shared<RowSequences>(content_, &*content_->ids, row_length_);
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
    stream = std::make_unique<FileStream>(&*content_->ids);
  }
  const int64_t tokens = stream->size();
  auto chunks = std::make_shared<ChunkSequences>(content_, std::move(stream), context_length, bos_token_id_);
  if (chunks->count() > 0) return chunks;
  return FailedPrecondition(reason::kCorpusTooSmall, "split \"", NameOf(split), "\" has ", tokens,
                            " tokens: one sequence of context_length ", context_length, " takes ", context_length - 1);
}

}  // namespace superpose
