#include "lib/prompt/feature_settings.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "lib/base/error.h"
#include "lib/base/status_macros.h"

namespace superpose {
namespace {

// Rows of activations that exist densely at once: 256 x 24,576 float32 are 25 MB.
constexpr int64_t kTileRows = 256;

absl::Status CheckSetting(const FeatureSetting& setting, const Transcoder& transcoder,
                          const std::vector<TokenSequence>& sequences) {
  if (setting.feature_id < 0 || setting.feature_id >= transcoder.d_sae()) {
    return InvalidArgument(reason::kFeatureOutOfRange, "feature ", setting.feature_id, " is not in 0 .. ",
                           transcoder.d_sae() - 1);
  }
  if (!(setting.value >= 0) || !std::isfinite(setting.value)) {
    return InvalidArgument(reason::kConfigInvalid, "feature ", setting.feature_id, " is set to ", setting.value,
                           ": an activation is 0 or more");
  }
  for (const int32_t position : setting.positions) {
    for (size_t index = 0; index < sequences.size(); ++index) {
      if (position >= 0 && position < static_cast<int64_t>(sequences[index].size())) continue;
      return InvalidArgument(reason::kConfigInvalid, "feature ", setting.feature_id, " is set at position ", position,
                             ", but sequence ", index, " has positions 0 .. ", sequences[index].size() - 1);
    }
  }
  return absl::OkStatus();
}

absl::Status SetTwice(int64_t feature) {
  return InvalidArgument(reason::kConfigInvalid, "feature ", feature,
                         " is set twice at the same position: set it once, or at positions of its own each time");
}

absl::Status CheckEachOnce(const std::vector<FeatureSetting>& settings) {
  std::map<int64_t, std::set<int32_t>> positions;  // of a feature; none: all but BOS
  for (const FeatureSetting& setting : settings) {
    const std::set<int32_t> here(setting.positions.begin(), setting.positions.end());
    const auto [before, first] = positions.try_emplace(setting.feature_id, here);
    if (first) continue;
    if (here.empty() || before->second.empty()) return SetTwice(setting.feature_id);
    for (const int32_t position : here) {
      if (!before->second.insert(position).second) return SetTwice(setting.feature_id);
    }
  }
  return absl::OkStatus();
}

// Activations of the chosen features (int64, in any order, duplicates allowed), dense [rows, features].
at::Tensor Columns(const SparseActivations& z, const at::Tensor& features) {
  const at::Tensor counts = z.row_splits.slice(0, 1) - z.row_splits.slice(0, 0, z.rows());
  const at::Tensor rows = at::repeat_interleave(counts, std::optional<int64_t>(z.entries()));
  const at::Tensor dense = at::zeros({z.rows(), z.d_sae}, z.values.options());
  return dense.index_put_({rows, z.feature_ids.to(at::kLong)}, z.values).index_select(1, features);
}

// Settings as tensors on the device. Those of the same positions share a column of the masks.
struct SettingTensors {
  at::Tensor features;  // int64 [settings]
  at::Tensor values;    // float32 [settings]
  at::Tensor columns;   // int64 [settings]: of masks
  at::Tensor masks;     // bool [tokens, columns]: where a setting holds
};

at::Tensor MaskOf(const std::vector<int32_t>& positions, const TokenPlaces& places) {
  if (positions.empty()) return places.is_bos.logical_not();
  return at::isin(places.positions, at::tensor(positions, at::kLong).to(places.positions.device()));
}

SettingTensors TensorsOf(const std::vector<FeatureSetting>& settings, const TokenPlaces& places) {
  std::vector<int64_t> features, columns;
  std::vector<float> values;
  std::map<std::vector<int32_t>, int64_t> column_of;
  std::vector<at::Tensor> masks;
  for (const FeatureSetting& setting : settings) {
    const auto [column, is_new] = column_of.try_emplace(setting.positions, static_cast<int64_t>(masks.size()));
    if (is_new) masks.push_back(MaskOf(setting.positions, places));
    features.push_back(setting.feature_id);
    values.push_back(setting.value);
    columns.push_back(column->second);
  }
  const at::Device device = places.positions.device();
  return {at::tensor(features, at::kLong).to(device), at::tensor(values, at::kFloat).to(device),
          at::tensor(columns, at::kLong).to(device), at::stack(masks, 1)};
}

}  // namespace

absl::Status CheckSettings(const Model& model, const std::vector<TokenSequence>& sequences,
                           const TranscoderSettings& settings) {
  SUPERPOSE_RETURN_IF_ERROR(model.CheckLayer(settings.layer));
  const Transcoder& transcoder = *settings.transcoder;
  if (transcoder.d_model() != model.config().d_model) {
    return InvalidArgument(reason::kTranscoderMismatch, "the transcoder reads d_model ", transcoder.d_model(),
                           ", the model has ", model.config().d_model);
  }
  if (settings.settings.empty()) return InvalidArgument(reason::kEmptyInput, "no features are set: set at least one");
  for (const FeatureSetting& setting : settings.settings)
    SUPERPOSE_RETURN_IF_ERROR(CheckSetting(setting, transcoder, sequences));
  return CheckEachOnce(settings.settings);
}

TokenPlaces PlacesOf(const Model& model, const PaddedBatch& batch) {
  const at::Tensor positions = batch.real_rows.remainder(batch.tokens.size(1));
  const at::Tensor tokens = batch.tokens.flatten().index_select(0, batch.real_rows);
  return {positions, positions.eq(0).logical_and(tokens.eq(model.config().bos_token_id))};
}

at::Tensor OutputChange(const TranscoderSettings& settings, const SparseActivations& z, const TokenPlaces& places) {
  const SettingTensors set = TensorsOf(settings.settings, places);
  const at::Tensor decoders = settings.transcoder->tensor("W_dec").index_select(0, set.features);
  const RowSlices rows(z);
  at::Tensor change = at::empty({z.rows(), decoders.size(1)}, decoders.options());
  for (int64_t begin = 0; begin < z.rows(); begin += kTileRows) {
    const int64_t end = std::min(begin + kTileRows, z.rows());
    const at::Tensor holds = set.masks.slice(0, begin, end).index_select(1, set.columns);
    const at::Tensor delta = set.values - Columns(rows.Slice(begin, end), set.features);
    change.slice(0, begin, end).copy_(delta.masked_fill(holds.logical_not(), 0).mm(decoders));
  }
  return change;
}

}  // namespace superpose
