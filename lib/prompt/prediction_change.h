// How predictions of the next token differ between two runs of a model over the same tokens.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "lib/model/model.h"
#include "lib/model/token_batch.h"

namespace superpose {

// At one sequence's last position.
struct InterventionEffect {
  int64_t sequence = 0;
  std::vector<int32_t> token_ids;  // the top_k of before and the top_k of after, each once, largest change first
  std::vector<float> before;       // their natural log-probabilities
  std::vector<float> after;
};

struct PredictionChange {
  // KL(before || after) of the next token in nats, one a position, sequence after sequence.
  std::vector<float> kl;
  // Log-probability of the token that follows, after minus before; one a position, 0 at each sequence's last.
  std::vector<float> log_probability_change;
  std::vector<InterventionEffect> effects;  // one a sequence
};

// Adds what changed in one batch. `before` and `after` are the final residuals of its tokens, [tokens, d_model]. Goes
// by tiles of rows, so that logits of all of them never exist at once. May throw what LibTorch throws.
void AddPredictionChange(const Model& model, const std::vector<TokenSequence>& sequences, const PaddedBatch& batch,
                         const at::Tensor& before, const at::Tensor& after, int64_t top_k, PredictionChange* change);

}  // namespace superpose
