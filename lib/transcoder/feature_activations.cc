#include "lib/transcoder/feature_activations.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "lib/base/torch_guard.h"

namespace superpose {
namespace {

// Sequences [begin, end) as one padded batch.
struct PaddedBatch {
  at::Tensor tokens;         // int64 [sequences, longest]
  at::Tensor real_position;  // bool [sequences * longest]
};

// Padded tokens of one batch: bounds what a forward pass holds.
constexpr int64_t kMaxBatchTokens = 4096;

PaddedBatch Pad(const std::vector<TokenSequence>& sequences, size_t begin, size_t end, int64_t longest) {
  int64_t rows = static_cast<int64_t>(end - begin);
  at::Tensor tokens = at::zeros({rows, longest}, at::kLong);
  at::Tensor real = at::zeros({rows, longest}, at::kBool);
  for (int64_t row = 0; row < rows; ++row) {
    const TokenSequence& sequence = sequences[begin + row];
    std::copy(sequence.begin(), sequence.end(), tokens.data_ptr<int64_t>() + row * longest);
    std::fill_n(real.data_ptr<bool>() + row * longest, sequence.size(), true);
  }
  return {tokens, real.flatten()};
}

// The end of the batch that begins at `begin`, and its longest sequence.
std::pair<size_t, int64_t> NextBatch(const std::vector<TokenSequence>& sequences, size_t begin) {
  int64_t longest = static_cast<int64_t>(sequences[begin].size());
  size_t end = begin + 1;
  while (end < sequences.size()) {
    int64_t padded = std::max(longest, static_cast<int64_t>(sequences[end].size()));
    if (padded * static_cast<int64_t>(end + 1 - begin) > kMaxBatchTokens) break;
    longest = padded;
    ++end;
  }
  return {end, longest};
}

absl::StatusOr<std::vector<SparseActivations>> EncodeBatch(const Model& model,
                                                           const std::vector<LayerTranscoder>& layers,
                                                           const PaddedBatch& batch) {
  int64_t last_layer = 0;
  for (const LayerTranscoder& layer : layers) last_layer = std::max(last_layer, layer.layer);
  std::vector<SparseActivations> encoded(layers.size());
  at::Tensor real_rows = batch.real_position.nonzero().squeeze(1).to(model.device());
  at::Tensor resid = model.Embed(batch.tokens.to(model.device()));
  for (int64_t layer = 0; layer <= last_layer; ++layer) {
    at::Tensor resid_mid = model.Attention(layer, resid);
    at::Tensor x_hat = model.Normalize(resid_mid);
    for (size_t i = 0; i < layers.size(); ++i) {
      if (layers[i].layer != layer) continue;
      at::Tensor rows = x_hat.reshape({-1, x_hat.size(-1)}).index_select(0, real_rows);
      SUPERPOSE_ASSIGN_OR_RETURN(encoded[i], layers[i].transcoder->Encode(rows));
    }
    if (layer < last_layer) resid = resid_mid + model.MlpOutput(layer, model.MlpPreActivation(layer, x_hat));
  }
  return encoded;
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
      int32_t id = sequence[position];
      if (id >= 0 && id < model.config().vocab_size) continue;
      return InvalidArgument(reason::kTokenOutOfRange, "sequence ", index, ", position ", position, ": token id ", id,
                             " is not in 0 .. ", model.config().vocab_size - 1);
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<SparseActivations>> ComputeFeatureActivations(const Model& model,
                                                                         const std::vector<LayerTranscoder>& layers,
                                                                         const std::vector<TokenSequence>& sequences) {
  if (layers.empty()) return InvalidArgument(reason::kEmptyInput, "no transcoder: give at least one");
  for (const LayerTranscoder& layer : layers) SUPERPOSE_RETURN_IF_ERROR(model.CheckLayer(layer.layer));
  SUPERPOSE_RETURN_IF_ERROR(CheckSequences(model, sequences));
  return CatchTorch([&]() -> absl::StatusOr<std::vector<SparseActivations>> {
    std::vector<std::vector<SparseActivations>> parts(layers.size());
    for (size_t begin = 0; begin < sequences.size();) {
      auto [end, longest] = NextBatch(sequences, begin);
      SUPERPOSE_ASSIGN_OR_RETURN(auto encoded, EncodeBatch(model, layers, Pad(sequences, begin, end, longest)));
      for (size_t i = 0; i < layers.size(); ++i) parts[i].push_back(std::move(encoded[i]));
      begin = end;
    }
    std::vector<SparseActivations> joined;
    for (const auto& layer_parts : parts) joined.push_back(ConcatenateRows(layer_parts));
    return joined;
  });
}

}  // namespace superpose
