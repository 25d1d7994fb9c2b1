// What training and evaluating midcoders takes in memory, from configs and shapes alone.
#pragma once

#include <cstdint>
#include <vector>

#include "lib/base/memory_estimate.h"
#include "lib/midcoder/evaluator.h"
#include "lib/midcoder/trainer_config.h"
#include "lib/model/model_config.h"
#include "lib/transcoder/transcoder_memory.h"

namespace superpose {

// Parameters of one midcoder in float32: W_mid [d_sae, width], b_mid [width], b_mid_out [d_model]; width is d_mlp or
// d_model, by the form.
int64_t MidcoderBytes(const ModelConfig& model, const TranscoderShape& transcoder, MidForm form);

// MidcoderTrainer, one transcoder for each of config.layers, R = batch_size * context_length tokens a step.
// Held: for each midcoder (layer and variant) its parameters and two moments of each, gradients of the biases and the
// transposed activations; for each layer the targets 4 R (2 d_model + d_mlp); for all layers the gradient rows 4 R
// width, the activations of one and the forward pass over about 512 tokens. Peak: that, and the largest of: the encoder
// of a layer; the forward and backward pass of 512 rows; transposing a layer's activations. Checkpoint: the
// parameters and their moments. With statistics also, held: the sums of each layer, and mid of at most 8,192 rows;
// peak: the sums' workspaces; checkpoint: the sums.
MemoryEstimate EstimateMidcoderTraining(const ModelConfig& model, const TrainerConfig& config, int64_t context_length,
                                        const std::vector<TranscoderShape>& transcoders);

// What an evaluation reads: sequences of context_length tokens, sequence_count of them in the corpus.
struct EvaluationShape {
  MidForm form = MidForm::kDMlp;
  int64_t context_length = 0;
  int64_t sequence_count = 0;
};

// MidcoderEvaluator with its midcoder. Held: the midcoder, the MLP's tensors for a first window of at most 16,384
// tokens, the forward pass over a chunk of about 512 and two
// tiles of their logits, each of 1,024 of the vocabulary. Peak: that, and the largest of: the encoder, comparing the
// variants' outputs, and scoring: the six variants' residuals.
MemoryEstimate EstimateMidcoderEvaluation(const ModelConfig& model, const EvaluatorConfig& config,
                                          const EvaluationShape& shape, const TranscoderShape& transcoder);

}  // namespace superpose
