// Sequences for the golden model.
#pragma once

#include <ATen/ATen.h>

#include <cstdint>
#include <vector>

#include "lib/model/token_batch.h"

namespace superpose {

// Rows of tokens [sequences, positions], each cut to its own length.
inline std::vector<TokenSequence> RowsOf(const at::Tensor& tokens, const std::vector<int64_t>& lengths) {
  std::vector<TokenSequence> sequences;
  for (size_t row = 0; row < lengths.size(); ++row) {
    const at::Tensor ids = tokens[static_cast<int64_t>(row)].slice(0, 0, lengths[row]).to(at::kInt).contiguous();
    sequences.emplace_back(ids.const_data_ptr<int32_t>(), ids.const_data_ptr<int32_t>() + ids.numel());
  }
  return sequences;
}

// Rows of values [sequences, positions, ..], each cut to its own length, one below the other.
inline at::Tensor JoinedRows(const at::Tensor& values, const std::vector<int64_t>& lengths) {
  std::vector<at::Tensor> parts;
  for (size_t row = 0; row < lengths.size(); ++row)
    parts.push_back(values[static_cast<int64_t>(row)].slice(0, 0, lengths[row]));
  return at::cat(parts);
}

}  // namespace superpose
