// Text to the token sequences of a request.
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "lib/transcoder/feature_activations.h"
#include "server/runtime/model_registry.h"
#include "superpose/v1/feature_service.pb.h"
#include "superpose/v1/tensor.pb.h"

namespace superpose {

struct TokenizeOptions {
  bool prepend_bos = true;  // never doubled
  bool parse_special = true;
};

// TOKENIZER_MISSING, INVALID_UTF8.
absl::StatusOr<TokenSequence> TokenizeText(const LoadedModel& model, const std::string& text,
                                           const TokenizeOptions& options);

inline constexpr int64_t kAnyBytes = std::numeric_limits<int64_t>::max();

// The text of each token alone; empty without a tokenizer. TOKEN_OUT_OF_RANGE; REQUEST_TOO_LARGE as soon as they take
// more of a message than `most_bytes`.
absl::StatusOr<std::vector<std::string>> TokenTexts(const LoadedModel& model, const TokenSequence& tokens,
                                                    int64_t most_bytes = kAnyBytes);

inline constexpr int64_t kAnyTokens = std::numeric_limits<int64_t>::max();

// The sequences that a request's texts are; a BOS goes before each, and special tokens are parsed, unless it says no.
// EMPTY_INPUT for an empty text; those of TokenizeText. Where the bytes alone say that it is too long, nothing is
// tokenized: REQUEST_TOO_LARGE for more than `most_tokens` in all, CONTEXT_EXCEEDED for a text that the model cannot
// take.
absl::StatusOr<std::vector<TokenSequence>> SequencesOf(const LoadedModel& model, const v1::TextBatch& batch,
                                                       int64_t most_tokens = kAnyTokens);

// CONFIG_INVALID when the lengths do not add up.
absl::StatusOr<std::vector<TokenSequence>> SequencesOf(const v1::TokenBatch& batch);

int64_t CountTokens(const std::vector<TokenSequence>& sequences);

// The end of a part that begins with sequence `begin`: as many as have at most `most_tokens` together, but at least
// one.
int64_t PartEnd(const std::vector<TokenSequence>& sequences, int64_t begin, int64_t most_tokens);

v1::TokenBatch BatchOf(const std::vector<TokenSequence>& sequences);

}  // namespace superpose
