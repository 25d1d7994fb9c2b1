#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace superpose {

// A row of token ids in memory, of whatever integer type they came in.
class TokenIds {
 public:
  // `ids`: a contiguous CPU tensor of integers, read in row-major order and kept alive. FILE_UNSUPPORTED for another
  // element type.
  static absl::StatusOr<TokenIds> Create(at::Tensor ids);

  int64_t size() const { return ids_.numel(); }
  // Ids [begin, begin + count) into `out`.
  void Read(int64_t begin, int64_t count, int64_t* out) const { read_(ids_.const_data_ptr(), begin, count, out); }
  // TOKEN_OUT_OF_RANGE names the first id that is not in 0 .. vocab_size - 1, and where it is.
  absl::Status Check(int64_t vocab_size) const;

 private:
  using Reader = void (*)(const void* ids, int64_t begin, int64_t count, int64_t* out);
  TokenIds(at::Tensor ids, Reader read) : ids_(std::move(ids)), read_(read) {}

  at::Tensor ids_;
  Reader read_;
};

}  // namespace superpose
