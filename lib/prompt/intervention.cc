#include "lib/prompt/intervention.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "lib/base/torch_guard.h"

namespace superpose {
namespace {

using Settings = std::vector<TranscoderSettings>;

int64_t FirstLayer(const Settings& transcoders) {
  int64_t first = transcoders.front().layer;
  for (const TranscoderSettings& settings : transcoders) first = std::min(first, settings.layer);
  return first;
}

// What stands in the place of `out`, the MLP's at all rows of the batch. `x_hat` is what its tokens' rows read.
absl::StatusOr<at::Tensor> ChangedOutput(const Intervention& intervention, const TranscoderSettings& settings,
                                         const PaddedBatch& batch, const TokenPlaces& places, const at::Tensor& x_hat,
                                         const at::Tensor& out) {
  SUPERPOSE_ASSIGN_OR_RETURN(const SparseActivations z, settings.transcoder->Encode(x_hat));
  const at::Tensor change = OutputChange(settings, z, places);
  if (intervention.mode == InterventionMode::kDelta) return out.index_add(0, batch.real_rows, change);
  SUPERPOSE_ASSIGN_OR_RETURN(const at::Tensor decoded, settings.transcoder->Decode(z, x_hat));
  return out.index_copy(0, batch.real_rows, decoded + change);
}

absl::StatusOr<at::Tensor> ChangedBlock(const Model& model, const Intervention& intervention, const PaddedBatch& batch,
                                        const TokenPlaces& places, int64_t layer, const at::Tensor& resid) {
  const MlpTensors mlp = model.ToMlp(layer, resid);
  const at::Tensor x_hat = mlp.x_hat.flatten(0, 1).index_select(0, batch.real_rows);
  at::Tensor out = mlp.out.flatten(0, 1);
  for (const TranscoderSettings& settings : intervention.transcoders) {
    if (settings.layer != layer) continue;
    SUPERPOSE_ASSIGN_OR_RETURN(out, ChangedOutput(intervention, settings, batch, places, x_hat, out));
  }
  return mlp.resid_mid + out.view_as(mlp.resid_mid);
}

// The largest setting, by the length of what it adds to the output.
struct LargestSetting {
  int64_t layer = 0;
  FeatureSetting setting;
};
LargestSetting FindLargest(const Settings& transcoders) {
  LargestSetting largest;
  double most = -1;
  for (const TranscoderSettings& of_layer : transcoders) {
    for (const FeatureSetting& setting : of_layer.settings) {
      const at::Tensor decoder = of_layer.transcoder->tensor("W_dec")[setting.feature_id].to(at::kDouble);
      const double length = setting.value * decoder.norm().item<double>();
      if (length <= most) continue;
      most = length;
      largest = {of_layer.layer, setting};
    }
  }
  return largest;
}

// The square of a residual is what a layer norm divides by: where that is infinite, predictions say nothing any more.
absl::Status CheckFinite(const at::Tensor& resid, const Settings& transcoders) {
  if (resid.square().sum(-1).isfinite().all().item<bool>()) return absl::OkStatus();
  const LargestSetting largest = FindLargest(transcoders);
  return InvalidArgument(reason::kConfigInvalid, "feature ", largest.setting.feature_id, " of layer ", largest.layer,
                         " is set to ", largest.setting.value,
                         ": that is too large to compute with, the predictions are no finite numbers");
}

absl::Status InterveneInBatch(const Model& model, const std::vector<TokenSequence>& sequences,
                              const Intervention& intervention, const PaddedBatch& batch, int64_t top_k,
                              PredictionChange* change) {
  const TokenPlaces places = PlacesOf(model, batch);
  at::Tensor before = model.Embed(batch.tokens);
  const int64_t first = FirstLayer(intervention.transcoders);
  for (int64_t layer = 0; layer < first; ++layer) before = model.Block(layer, before);
  at::Tensor after = before;
  for (int64_t layer = first; layer < model.config().n_layers; ++layer) {
    before = model.Block(layer, before);
    const bool changed = std::any_of(intervention.transcoders.begin(), intervention.transcoders.end(),
                                     [layer](const TranscoderSettings& settings) { return settings.layer == layer; });
    if (changed) {
      SUPERPOSE_ASSIGN_OR_RETURN(after, ChangedBlock(model, intervention, batch, places, layer, after));
    } else {
      after = model.Block(layer, after);
    }
  }
  SUPERPOSE_RETURN_IF_ERROR(CheckFinite(after, intervention.transcoders));
  auto rows = [&batch](const at::Tensor& resid) { return resid.flatten(0, 1).index_select(0, batch.real_rows); };
  AddPredictionChange(model, sequences, batch, rows(before), rows(after), top_k, change);
  return absl::OkStatus();
}

absl::Status CheckPair(const TranscoderSettings& a, const TranscoderSettings& b, InterventionMode mode) {
  if (a.layer != b.layer) return absl::OkStatus();
  if (a.transcoder == b.transcoder) {
    return InvalidArgument(reason::kConfigInvalid, "the transcoder of layer ", a.layer,
                           " stands twice: put its settings together");
  }
  if (mode == InterventionMode::kDelta) return absl::OkStatus();
  return InvalidArgument(reason::kConfigInvalid, "two transcoders cannot both replace the MLP of layer ", a.layer,
                         ": set features of one of them, or use the mode delta");
}

}  // namespace

absl::Status CheckIntervention(const Model& model, const std::vector<TokenSequence>& sequences,
                               const Intervention& intervention) {
  SUPERPOSE_RETURN_IF_ERROR(CheckSequences(model, sequences));
  const Settings& transcoders = intervention.transcoders;
  if (transcoders.empty()) return InvalidArgument(reason::kEmptyInput, "no features are set: set at least one");
  for (size_t i = 0; i < transcoders.size(); ++i) {
    SUPERPOSE_RETURN_IF_ERROR(CheckSettings(model, sequences, transcoders[i]));
    for (size_t j = 0; j < i; ++j)
      SUPERPOSE_RETURN_IF_ERROR(CheckPair(transcoders[i], transcoders[j], intervention.mode));
  }
  return absl::OkStatus();
}

absl::StatusOr<PredictionChange> Intervene(const Model& model, const std::vector<TokenSequence>& sequences,
                                           const Intervention& intervention, int64_t top_k) {
  if (top_k < 0) return InvalidArgument(reason::kConfigInvalid, "top_k is ", top_k, ": it must be 0 or more");
  SUPERPOSE_RETURN_IF_ERROR(CheckIntervention(model, sequences, intervention));
  return CatchTorch([&]() -> absl::StatusOr<PredictionChange> {
    PredictionChange change;
    for (const PaddedBatch& batch : PadSequences(sequences, model.device())) {
      SUPERPOSE_RETURN_IF_ERROR(InterveneInBatch(model, sequences, intervention, batch, top_k, &change));
    }
    return change;
  });
}

}  // namespace superpose
