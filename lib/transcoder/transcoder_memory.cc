#include "lib/transcoder/transcoder_memory.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "lib/model/model_memory.h"
#include "lib/transcoder/activation_encoder.h"
#include "lib/transcoder/int8_features.h"
#include "lib/transcoder/int8_prefilter.h"
#include "lib/transcoder/self_test.h"

namespace superpose {
namespace {

constexpr int64_t kEntryBytes = 8;  // int32 id, float32 value
constexpr int64_t kSplitBytes = 8;
// Tokens of the self-test, about; of each its input and the MLP's output are kept.
constexpr int64_t kSelfTestTokens = 512;
// Positions of one padded batch (lib/model/token_batch.h).
constexpr int64_t kBatchTokens = 4096;

int64_t EntryBytes(const TranscoderShape& shape, int64_t rows) {
  return kEntryBytes * static_cast<int64_t>(std::ceil(shape.active_features * static_cast<double>(rows)));
}

}  // namespace

int64_t ActivationsBytes(const TranscoderShape& shape, int64_t rows) {
  return EntryBytes(shape, rows) + kSplitBytes * (rows + 1);
}

int64_t EncoderBytes(const TranscoderShape& shape, int64_t rows) {
  const int64_t tile_rows = std::min(ActivationEncoder::kMostRows, rows);
  const int64_t tile_features = ActivationEncoder::TileFeatures(tile_rows, shape.d_sae);
  const int64_t parts = (shape.d_sae + tile_features - 1) / tile_features;
  const int64_t copies = rows > tile_rows || parts > 1 ? 2 : 1;
  return kFloatBytes * tile_rows * (tile_features + shape.d_model) + kSplitBytes * (parts - 1) * (tile_rows + 1) +
         copies * ActivationsBytes(shape, rows);
}

MemoryEstimate EstimateTranscoderLoad(const TranscoderShape& shape, bool converted, bool int8_prefilter) {
  const int64_t matrices = 2 * kFloatBytes * shape.d_model * shape.d_sae;
  const bool filters = int8_prefilter && Int8Prefilter::Supports(shape.d_model);
  const int64_t filter = filters ? Int8FeatureBytes(shape.d_model, shape.d_sae) : 0;
  const int64_t held = matrices + 2 * kFloatBytes * (shape.d_sae + shape.d_model) + filter;
  // A tile of an alternate reading. That of the loaded one is less: pre-activations and, where all are active, entries.
  const int64_t tile = SelfTester::kTileRows * (3 * kFloatBytes + 1) * shape.d_sae;
  const int64_t rows = 2 * kFloatBytes * (kSelfTestTokens + 2 * SelfTester::kTileRows) * shape.d_model;
  // W_enc as it was read, while its columns become rows.
  const int64_t before = filters ? matrices / 2 : 0;
  return {.peak_bytes = held + std::max(tile + rows, before) + (converted ? matrices : 0),
          .held_bytes = held,
          .checkpoint_bytes = 0};
}

MemoryEstimate EstimateFeatureActivations(const ModelConfig& model, const std::vector<LayerShape>& layers,
                                          const std::vector<int64_t>& lengths) {
  if (lengths.empty()) return {};
  const int64_t longest = *std::max_element(lengths.begin(), lengths.end());
  const int64_t tokens = std::accumulate(lengths.begin(), lengths.end(), int64_t{0});
  const int64_t all_padded = longest * static_cast<int64_t>(lengths.size());
  const int64_t padded = std::max(longest, std::min(all_padded, kBatchTokens));
  const int64_t rows = std::min(padded, tokens);
  int64_t all = 0, encoding = 0;
  for (const LayerShape& layer : layers) {
    all += ActivationsBytes(layer.transcoder, tokens);
    encoding = std::max(encoding, EncoderBytes(layer.transcoder, rows) - ActivationsBytes(layer.transcoder, rows));
  }
  // Beside the pass: the residual's normalised form, and those of its rows that are no padding.
  const int64_t around = kFloatBytes * model.d_model * (padded + rows);
  const int64_t pass = all + BlockBytes(model, padded) + around + encoding;
  const int64_t joining = all_padded > padded ? 2 * all : all;
  return {.peak_bytes = std::max(pass, joining), .held_bytes = all, .checkpoint_bytes = 0};
}

}  // namespace superpose
