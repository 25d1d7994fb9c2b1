#include "lib/transcoder/feature_activations.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "lib/base/torch_guard.h"

namespace superpose {
namespace {

absl::StatusOr<std::vector<SparseActivations>> EncodeBatch(const Model& model,
                                                           const std::vector<LayerTranscoder>& layers,
                                                           const PaddedBatch& batch) {
  int64_t last_layer = 0;
  for (const LayerTranscoder& layer : layers) last_layer = std::max(last_layer, layer.layer);
  std::vector<SparseActivations> encoded(layers.size());
  const at::Tensor resid = model.Embed(batch.tokens);
  at::Tensor x_hat = at::empty_like(resid);
  BlockWorkspace workspace;
  for (int64_t layer = 0; layer <= last_layer; ++layer) {
    if (layer < last_layer) {
      model.RunBlock(layer, resid, workspace, {.resid_mid = {}, .x_hat = x_hat, .pre = {}, .out = {}});
    } else {
      model.AddAttention(layer, resid, workspace);
      x_hat = model.Normalize(resid);
    }
    for (size_t i = 0; i < layers.size(); ++i) {
      if (layers[i].layer != layer) continue;
      at::Tensor rows = x_hat.reshape({-1, x_hat.size(-1)}).index_select(0, batch.real_rows);
      SUPERPOSE_ASSIGN_OR_RETURN(encoded[i], layers[i].transcoder->Encode(rows));
    }
  }
  return encoded;
}

}  // namespace

absl::StatusOr<std::vector<SparseActivations>> ComputeFeatureActivations(const Model& model,
                                                                         const std::vector<LayerTranscoder>& layers,
                                                                         const std::vector<TokenSequence>& sequences) {
  if (layers.empty()) return InvalidArgument(reason::kEmptyInput, "no transcoder: give at least one");
  for (const LayerTranscoder& layer : layers) SUPERPOSE_RETURN_IF_ERROR(model.CheckLayer(layer.layer));
  SUPERPOSE_RETURN_IF_ERROR(CheckSequences(model, sequences));
  return CatchTorch([&]() -> absl::StatusOr<std::vector<SparseActivations>> {
    std::vector<std::vector<SparseActivations>> parts(layers.size());
    for (const PaddedBatch& batch : PadSequences(sequences, model.device())) {
      SUPERPOSE_ASSIGN_OR_RETURN(auto encoded, EncodeBatch(model, layers, batch));
      for (size_t i = 0; i < layers.size(); ++i) parts[i].push_back(std::move(encoded[i]));
    }
    std::vector<SparseActivations> joined;
    for (const auto& layer_parts : parts) joined.push_back(ConcatenateRows(layer_parts));
    return joined;
  });
}

}  // namespace superpose
