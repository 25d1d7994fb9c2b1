#include <algorithm>

#include "lib/midcoder/midcoder_memory.h"
#include "lib/midcoder/prefix_walk.h"
#include "lib/midcoder/statistics_checkpoint.h"
#include "lib/model/model_memory.h"
#include "lib/statistics/collector.h"
#include "lib/statistics/collector_needs.h"

namespace superpose {
namespace {

constexpr int64_t kIdBytes = 8;  // of a token id

// The batch's rows of one layer.
int64_t RowsBytes(const ModelConfig& model, const StatisticsOptions& options, int64_t rows) {
  const int64_t pre = NeedsPre(options) ? model.d_mlp : 0, out = NeedsOut(options) ? model.d_model : 0;
  return kFloatBytes * rows * (model.d_model + pre + out);
}

// Computing mid of a tile: z W_mid + b_mid and, with the form d_model, that times W_in.
int64_t MidBytes(const ModelConfig& model, MidForm form, int64_t rows) {
  const int64_t tile = std::min(StatisticsCollector::kRowsPerTile, rows);
  return kFloatBytes * tile * (model.d_mlp + (form == MidForm::kDModel ? model.d_model : 0));
}

}  // namespace

MemoryEstimate EstimateCollecting(const ModelConfig& model, const std::vector<CollectedShape>& layers,
                                  int64_t context_length, const CollectorConfig& config) {
  const int64_t rows = config.batch_size * context_length, block = std::min(rows, LayerStatistics::kMostRows);
  const int64_t chunk = std::min(SequencesPerChunk(context_length), config.batch_size) * context_length;
  MemoryEstimate estimate{
      .peak_bytes = 0, .held_bytes = kIdBytes * rows + BlockBytes(model, chunk), .checkpoint_bytes = 0};
  int64_t work = MlpTensorsBytes(model, chunk);
  bool needs_mid = false;
  for (const CollectedShape& layer : layers) {
    const StatisticsShape shape{.d_sae = layer.transcoder.d_sae, .d_mlp = model.d_mlp, .d_model = model.d_model};
    const bool has_midcoder = layer.midcoder.has_value();
    const StatisticsBytes sums =
        EstimateStatistics(shape, layer.options, has_midcoder, block, layer.transcoder.active_features);
    estimate.held_bytes += sums.kept + RowsBytes(model, layer.options, rows);
    estimate.checkpoint_bytes += CheckpointBytes(shape, layer.options, has_midcoder);
    const int64_t activations = ActivationsBytes(layer.transcoder, rows);
    work = std::max({work, EncoderBytes(layer.transcoder, rows), activations + sums.peak - sums.kept});
    if (!has_midcoder) continue;
    estimate.held_bytes += MidcoderBytes(model, layer.transcoder, *layer.midcoder);
    needs_mid = needs_mid || NeedsMid(layer.options, has_midcoder);
    work = std::max(work, activations + MidBytes(model, *layer.midcoder, rows));
  }
  if (needs_mid) estimate.held_bytes += kFloatBytes * block * model.d_mlp;
  estimate.peak_bytes = estimate.held_bytes + work;
  return estimate;
}

}  // namespace superpose
