// What a model takes the next token to be.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "lib/model/model.h"
#include "lib/model/token_batch.h"

namespace superpose {

struct NextTokensQuery {
  int64_t top_k = 10;                   // most likely tokens to report; all of them where the vocabulary has fewer
  std::vector<int32_t> token_ids = {};  // to report besides
  bool all_positions = false;           // else the last one of each sequence
};

struct NextTokensPrediction {
  int64_t sequence = 0;
  int64_t position = 0;
  std::vector<int32_t> token_ids;        // the most likely, most likely first, then those asked for in their order
  std::vector<float> log_probabilities;  // natural
};

// One a position asked for, sequence after sequence. INVALID_ARGUMENT: those of CheckSequences; TOKEN_OUT_OF_RANGE for
// an id asked for; CONFIG_INVALID for a negative top_k.
absl::StatusOr<std::vector<NextTokensPrediction>> ComputeNextTokens(const Model& model, const NextTokensQuery& query,
                                                                    const std::vector<TokenSequence>& sequences);

}  // namespace superpose
