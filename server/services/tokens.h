// Text to the token sequences of a request.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "lib/transcoder/feature_activations.h"
#include "server/runtime/model_registry.h"
#include "superpose/v1/tensor.pb.h"

namespace superpose {

struct TokenizeOptions {
  bool prepend_bos = true;  // never doubled
  bool parse_special = true;
};

// TOKENIZER_MISSING, INVALID_UTF8.
absl::StatusOr<TokenSequence> TokenizeText(const LoadedModel& model, const std::string& text,
                                           const TokenizeOptions& options);

// The text of each token alone; empty without a tokenizer. TOKEN_OUT_OF_RANGE.
absl::StatusOr<std::vector<std::string>> TokenTexts(const LoadedModel& model, const TokenSequence& tokens);

// CONFIG_INVALID when the lengths do not add up.
absl::StatusOr<std::vector<TokenSequence>> SequencesOf(const v1::TokenBatch& batch);

v1::TokenBatch BatchOf(const std::vector<TokenSequence>& sequences);

}  // namespace superpose
