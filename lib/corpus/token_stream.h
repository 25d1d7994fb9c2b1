#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "lib/corpus/text_documents.h"
#include "lib/corpus/token_ids.h"

namespace superpose {

// A long row of token ids that sequences are cut from.
class TokenStream {
 public:
  virtual ~TokenStream() = default;
  virtual int64_t size() const = 0;
  // Ids [begin, begin + count) into `out`.
  virtual void Read(int64_t begin, int64_t count, int64_t* out) const = 0;
};

// Some of the documents, joined by end-of-text. The documents must outlive it.
class DocumentStream final : public TokenStream {
 public:
  DocumentStream(const TextDocuments* documents, const std::vector<int64_t>& chosen, int64_t eos_token_id);
  int64_t size() const override;
  void Read(int64_t begin, int64_t count, int64_t* out) const override;

 private:
  struct Piece {
    int64_t start;   // in the stream
    int64_t source;  // in documents->ids
    int64_t length;  // without the end-of-text that follows
  };
  const TextDocuments* const documents_;
  const int64_t eos_token_id_;
  std::vector<Piece> pieces_;
};

// A token file as it is. The ids must outlive it.
class FileStream final : public TokenStream {
 public:
  explicit FileStream(const TokenIds* ids) : ids_(ids) {}
  int64_t size() const override { return ids_->size(); }
  void Read(int64_t begin, int64_t count, int64_t* out) const override { ids_->Read(begin, count, out); }

 private:
  const TokenIds* const ids_;
};

}  // namespace superpose
