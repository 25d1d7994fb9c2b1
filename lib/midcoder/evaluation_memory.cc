#include <algorithm>

#include "lib/midcoder/midcoder_memory.h"
#include "lib/midcoder/prefix_walk.h"
#include "lib/model/model_memory.h"

namespace superpose {
namespace {

constexpr int64_t kVariants = static_cast<int64_t>(kVariantNames.size());

// Tokens that are evaluated, in all.
int64_t TokensOf(const EvaluatorConfig& config, const EvaluationShape& shape) {
  const int64_t available = shape.sequence_count * shape.context_length;
  const int64_t batch = config.batch_size * shape.context_length;
  const int64_t wanted = std::min(config.tokens, available);
  return std::min((wanted + batch - 1) / batch * batch, available);
}

// Comparing one chunk's outputs: mid and two outputs stay; squared errors of mid take two float32 tensors and a float64
// one; then the variants' residuals are made from the output through the ReLU gate.
int64_t ReplaceBytes(const ModelConfig& model, int64_t rows) {
  const int64_t d = model.d_model, m = model.d_mlp;
  const int64_t outputs = kFloatBytes * rows * (m + 2 * d);
  const int64_t errors = (2 * kFloatBytes + kDoubleBytes) * rows * m;
  const int64_t variants = kFloatBytes * rows * (kVariants + 2) * d;
  return outputs + std::max(errors, variants);
}

}  // namespace

MemoryEstimate EstimateMidcoderEvaluation(const ModelConfig& model, const EvaluatorConfig& config,
                                          const EvaluationShape& shape, const TranscoderShape& transcoder) {
  const int64_t tokens = TokensOf(config, shape);
  const int64_t chunk = std::min(SequencesPerChunk(shape.context_length) * shape.context_length, tokens);
  const int64_t window_chunks = std::max<int64_t>(1, MidcoderEvaluator::kWindowTokens / std::max<int64_t>(1, chunk));
  const int64_t window_tokens = std::min(window_chunks * chunk, tokens);
  const int64_t window = MlpTensorsBytes(model, window_tokens);
  const int64_t residuals = kFloatBytes * chunk * kVariants * (model.d_model + 2);
  const int64_t tile = kFloatBytes * chunk * std::min(Model::kVocabularyTile, model.vocab_size);
  const int64_t activations = ActivationsBytes(transcoder, chunk);

  const int64_t encoding = activations + EncoderBytes(transcoder, chunk);
  const int64_t replacing = activations + ReplaceBytes(model, chunk);
  const int64_t scoring = residuals + kFloatBytes * chunk * model.d_model + activations;
  MemoryEstimate estimate;
  estimate.held_bytes = MidcoderBytes(model, transcoder, shape.form) + window + BlockBytes(model, chunk) + 2 * tile;
  estimate.peak_bytes = estimate.held_bytes + std::max({encoding, replacing, scoring});
  return estimate;
}

}  // namespace superpose
