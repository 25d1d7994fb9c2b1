#include "lib/model/model_memory.h"

#include <algorithm>

namespace superpose {
namespace {

int64_t LayerElements(const ModelConfig& config) {
  const int64_t d = config.d_model, m = config.d_mlp;
  return 4 * d * d + 2 * d * m + 5 * d + m;
}

}  // namespace

MemoryEstimate EstimateModelLoad(const ModelConfig& config) {
  const int64_t d = config.d_model, m = config.d_mlp;
  const int64_t vocabulary = config.vocab_size * d;
  const int64_t embeddings = vocabulary + config.n_positions * d;
  const int64_t unembedding = vocabulary + config.vocab_size;
  const int64_t all_layers = config.n_layers * LayerElements(config);
  const int64_t norms = 2 * kDoubleBytes * config.n_layers * d;
  const int64_t embedding_peak = 3 * kDoubleBytes * vocabulary;
  const int64_t layer_peak = kFloatBytes * (embeddings + all_layers - LayerElements(config)) +
                             kDoubleBytes * (4 * d * d + 3 * d * std::max(d, m));
  const int64_t unembedding_peak =
      kFloatBytes * (embeddings + all_layers) + 3 * kDoubleBytes * vocabulary + 2 * kFloatBytes * vocabulary;
  return {.peak_bytes = std::max({embedding_peak, layer_peak, unembedding_peak}),
          .held_bytes = kFloatBytes * (embeddings + unembedding + all_layers) + norms,
          .checkpoint_bytes = 0};
}

int64_t BlockBytes(const ModelConfig& config, int64_t rows) {
  return kFloatBytes * rows * (2 * config.d_model + std::max(3 * config.d_model, config.d_mlp));
}

int64_t MlpTensorsBytes(const ModelConfig& config, int64_t rows) {
  return kFloatBytes * rows * (3 * config.d_model + config.d_mlp);
}

}  // namespace superpose
