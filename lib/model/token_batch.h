// Token sequences of any lengths as batches that a model takes.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "lib/model/model.h"

namespace superpose {

using TokenSequence = std::vector<int32_t>;

// INVALID_ARGUMENT (EMPTY_INPUT, CONTEXT_EXCEEDED, TOKEN_OUT_OF_RANGE) names the first sequence that the model cannot
// take.
absl::Status CheckSequences(const Model& model, const std::vector<TokenSequence>& sequences);

// Some sequences one below the other, padded on the right, which causal attention makes invisible to the positions
// before.
struct PaddedBatch {
  size_t begin = 0;      // the first of its sequences
  size_t end = 0;        // one after the last
  at::Tensor tokens;     // int64 [sequences, longest]; 0 after a sequence's end
  at::Tensor real_rows;  // int64 [tokens of its sequences]: which of the sequences * longest rows they are, ascending
};

// All sequences in their order; a batch has at most about 4,096 positions, which bounds what a forward pass holds. Its
// tensors are on `device`. None of the sequences may be empty. May throw what LibTorch throws.
std::vector<PaddedBatch> PadSequences(const std::vector<TokenSequence>& sequences, at::Device device);

}  // namespace superpose
