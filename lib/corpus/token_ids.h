#pragma once

#include <c10/core/ScalarType.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace superpose {

// A row of token ids in memory or in mapped files, of whatever integer types they came in: read where they lie, never
// copied.
class TokenIds {
 public:
  // `count` integers of `type` at `data`, at any alignment, which `owner` keeps valid. FILE_UNSUPPORTED for another
  // element type.
  static absl::StatusOr<TokenIds> Create(std::shared_ptr<const void> owner, const void* data, int64_t count,
                                         at::ScalarType type);
  // One row after the other.
  static TokenIds Join(const std::vector<TokenIds>& rows);

  int64_t size() const { return size_; }
  // Ids [begin, begin + count) into `out`.
  void Read(int64_t begin, int64_t count, int64_t* out) const;
  // TOKEN_OUT_OF_RANGE names the first id that is not in 0 .. vocab_size - 1, and where it is.
  absl::Status Check(int64_t vocab_size) const;

 private:
  using Reader = void (*)(const void* ids, int64_t begin, int64_t count, int64_t* out);
  struct Piece {
    std::shared_ptr<const void> owner;
    const void* data;
    int64_t start;  // in the row
    int64_t count;
    Reader read;
  };

  std::vector<Piece> pieces_;  // none is empty
  int64_t size_ = 0;
};

}  // namespace superpose
