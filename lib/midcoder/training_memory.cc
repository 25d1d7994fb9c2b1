#include <algorithm>

#include "lib/midcoder/midcoder_memory.h"
#include "lib/midcoder/prefix_walk.h"
#include "lib/midcoder/statistics_checkpoint.h"
#include "lib/midcoder/trainer.h"
#include "lib/midcoder/training_statistics.h"
#include "lib/model/model_memory.h"

namespace superpose {
namespace {

constexpr int64_t kIdBytes = 8;  // of a token id, of a split

int64_t WidthOf(const ModelConfig& model, MidForm form) { return form == MidForm::kDMlp ? model.d_mlp : model.d_model; }

// Most that a tile of rows adds on its way forward and back: mid and its hidden layer or, with the form d_model, its
// gradient, and two tensors of d_model.
int64_t TileBytes(const ModelConfig& model, int64_t rows) {
  return kFloatBytes * std::min(MidcoderTrainer::kRowsPerTile, rows) * 2 * (model.d_mlp + model.d_model);
}

int64_t TransposedBytes(const TranscoderShape& transcoder, int64_t rows) {
  return ActivationsBytes(transcoder, rows) + kIdBytes * (transcoder.d_sae - rows);
}

// What statistics add. Peak: over what is held, the largest layer's workspaces beside the rows that are left without
// BOS.
MemoryEstimate StatisticsOfTraining(const ModelConfig& model, const TrainerConfig& config, int64_t rows,
                                    const std::vector<TranscoderShape>& transcoders) {
  MemoryEstimate estimate;
  if (!config.statistics) return estimate;
  const int64_t block = StepStatistics::BlockRows(rows);
  estimate.held_bytes = kFloatBytes * block * model.d_mlp;
  if (!config.statistics->include_bos) estimate.held_bytes += rows;
  for (size_t i = 0; i < transcoders.size(); ++i) {
    const StatisticsShape shape{.d_sae = transcoders[i].d_sae, .d_mlp = model.d_mlp, .d_model = model.d_model};
    const StatisticsOptions& options = config.statistics->layers[i];
    const StatisticsBytes bytes =
        EstimateStatistics(shape, options, /*has_midcoder=*/true, block, transcoders[i].active_features);
    const int64_t kept_rows = config.statistics->include_bos ? 0
                                                             : kFloatBytes * block * (2 * model.d_mlp + model.d_model) +
                                                                   ActivationsBytes(transcoders[i], block);
    estimate.held_bytes += bytes.kept;
    estimate.checkpoint_bytes += CheckpointBytes(shape, options, /*has_midcoder=*/true);
    estimate.peak_bytes = std::max(estimate.peak_bytes, bytes.peak - bytes.kept + kept_rows);
  }
  return estimate;
}

}  // namespace

int64_t MidcoderBytes(const ModelConfig& model, const TranscoderShape& transcoder, MidForm form) {
  return kFloatBytes * ((transcoder.d_sae + 1) * WidthOf(model, form) + model.d_model);
}

MemoryEstimate EstimateMidcoderTraining(const ModelConfig& model, const TrainerConfig& config, int64_t context_length,
                                        const std::vector<TranscoderShape>& transcoders) {
  const int64_t rows = config.batch_size * context_length, width = WidthOf(model, config.form);
  const int64_t chunk = std::min(SequencesPerChunk(context_length), config.batch_size) * context_length;
  MemoryEstimate estimate;
  int64_t transposed = 0, activations = 0, encoding = 0, transposing = 0;
  for (const TranscoderShape& transcoder : transcoders) {
    estimate.checkpoint_bytes += 3 * MidcoderBytes(model, transcoder, config.form);
    transposed += TransposedBytes(transcoder, rows);
    activations = std::max(activations, ActivationsBytes(transcoder, rows));
    encoding = std::max(encoding, EncoderBytes(transcoder, rows));
    transposing = std::max(transposing, TransposedBytes(transcoder, rows));
  }
  const auto layers = static_cast<int64_t>(transcoders.size());
  const auto variants = static_cast<int64_t>(VariantsOf(config).size());
  estimate.checkpoint_bytes *= variants;
  transposed *= variants;
  const int64_t state = estimate.checkpoint_bytes + variants * layers * kFloatBytes * (width + model.d_model);
  const int64_t targets = layers * kFloatBytes * rows * (2 * model.d_model + model.d_mlp);
  const int64_t shared = kFloatBytes * rows * width + kIdBytes * rows;
  const MemoryEstimate statistics = StatisticsOfTraining(model, config, rows, transcoders);
  estimate.held_bytes =
      state + targets + BlockBytes(model, chunk) + shared + transposed + activations + statistics.held_bytes;
  estimate.checkpoint_bytes += statistics.checkpoint_bytes;
  const int64_t tile = TileBytes(model, rows);
  estimate.peak_bytes = estimate.held_bytes + std::max({encoding, tile, transposing, statistics.peak_bytes});
  return estimate;
}

}  // namespace superpose
