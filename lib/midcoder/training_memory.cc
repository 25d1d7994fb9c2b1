#include <algorithm>

#include "lib/midcoder/midcoder_memory.h"
#include "lib/midcoder/prefix_walk.h"
#include "lib/midcoder/trainer.h"
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
  estimate.held_bytes = state + targets + shared + transposed + activations;
  const int64_t tile = TileBytes(model, rows);
  estimate.peak_bytes = estimate.held_bytes + std::max({BlockBytes(model, chunk), encoding, tile, transposing});
  return estimate;
}

}  // namespace superpose
