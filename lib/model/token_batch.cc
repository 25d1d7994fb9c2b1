#include "lib/model/token_batch.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <utility>

#include "lib/base/error.h"

namespace superpose {
namespace {

constexpr int64_t kMaxBatchTokens = 4096;

PaddedBatch Pad(const std::vector<TokenSequence>& sequences, size_t begin, size_t end, int64_t longest,
                at::Device device) {
  const int64_t rows = static_cast<int64_t>(end - begin);
  at::Tensor tokens = at::zeros({rows, longest}, at::kLong);
  at::Tensor real = at::zeros({rows, longest}, at::kBool);
  for (int64_t row = 0; row < rows; ++row) {
    const TokenSequence& sequence = sequences[begin + row];
    std::copy(sequence.begin(), sequence.end(), tokens.data_ptr<int64_t>() + row * longest);
    std::fill_n(real.data_ptr<bool>() + row * longest, sequence.size(), true);
  }
  return {begin, end, tokens.to(device), real.flatten().nonzero().squeeze(1).to(device)};
}

// The end of the batch that begins at `begin`, and its longest sequence.
std::pair<size_t, int64_t> NextBatch(const std::vector<TokenSequence>& sequences, size_t begin) {
  int64_t longest = static_cast<int64_t>(sequences[begin].size());
  size_t end = begin + 1;
  while (end < sequences.size()) {
    const int64_t padded = std::max(longest, static_cast<int64_t>(sequences[end].size()));
    if (padded * static_cast<int64_t>(end + 1 - begin) > kMaxBatchTokens) break;
    longest = padded;
    ++end;
  }
  return {end, longest};
}

}  // namespace

absl::Status CheckSequences(const Model& model, const std::vector<TokenSequence>& sequences) {
  if (sequences.empty()) return InvalidArgument(reason::kEmptyInput, "no sequences: give at least one");
  for (size_t index = 0; index < sequences.size(); ++index) {
    const TokenSequence& sequence = sequences[index];
    if (sequence.empty()) return InvalidArgument(reason::kEmptyInput, "sequence ", index, " has no tokens");
    if (static_cast<int64_t>(sequence.size()) > model.config().n_positions) {
      return InvalidArgument(reason::kContextExceeded, "sequence ", index, " has ", sequence.size(),
                             " tokens; the model's context is ", model.config().n_positions);
    }
    for (size_t position = 0; position < sequence.size(); ++position) {
      const int32_t id = sequence[position];
      if (id >= 0 && id < model.config().vocab_size) continue;
      return InvalidArgument(reason::kTokenOutOfRange, "sequence ", index, ", position ", position, ": token id ", id,
                             " is not in 0 .. ", model.config().vocab_size - 1);
    }
  }
  return absl::OkStatus();
}

std::vector<PaddedBatch> PadSequences(const std::vector<TokenSequence>& sequences, at::Device device) {
  std::vector<PaddedBatch> batches;
  for (size_t begin = 0; begin < sequences.size();) {
    const auto [end, longest] = NextBatch(sequences, begin);
    batches.push_back(Pad(sequences, begin, end, longest, device));
    begin = end;
  }
  return batches;
}

}  // namespace superpose
