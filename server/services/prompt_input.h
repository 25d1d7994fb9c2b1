#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/runtime/model_registry.h"
#include "server/services/limits.h"
#include "server/services/tokens.h"
#include "superpose/v1/model.pb.h"
#include "superpose/v1/prompt_service.pb.h"
#include "superpose/v1/tensor.pb.h"

namespace superpose {

// A request's prompt: the model that it is for, and its sequences, which that model can take.
struct PromptInput {
  ModelHandle model;
  std::vector<TokenSequence> sequences;
};

// Errors: those of the registry, of SequencesOf and CheckSequences; REQUEST_TOO_LARGE beyond limits.max_unary_tokens.
absl::StatusOr<PromptInput> ReadPrompt(const ModelRegistry& registry, const v1::Prompt& prompt, const Limits& limits);

// The transcoder that `selector` names; CONFIG_INVALID when it is of another model than `model`, INPUT_CHANGED when
// `model` was unloaded meanwhile and another has its name.
absl::StatusOr<TranscoderHandle> FindTranscoderOf(const ModelRegistry& registry, const LoadedModel& model,
                                                  const std::string& selector);

// `given`, or 10; CONFIG_INVALID unless it is in 0 .. 1000.
absl::StatusOr<int64_t> TopK(bool has, int64_t given);

// REQUEST_TOO_LARGE when an answer of that size may not be sent.
absl::Status CheckAnswerSize(size_t bytes, const Limits& limits);

// The token's text for display; empty without a tokenizer, or for an id that it does not know.
std::string TextOf(const LoadedModel& model, int32_t token_id);

// Sequences, taken part by part.
class SequenceParts {
 public:
  explicit SequenceParts(std::vector<TokenSequence> sequences) : sequences_(std::move(sequences)) {}

  const std::vector<TokenSequence>& all() const { return sequences_; }
  bool done() const { return next_ == static_cast<int64_t>(sequences_.size()); }
  // Index of the next part's first sequence.
  int64_t next() const { return next_; }
  std::vector<TokenSequence> Take();

 private:
  std::vector<TokenSequence> sequences_;
  int64_t next_ = 0;
};

}  // namespace superpose
