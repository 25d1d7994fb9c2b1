// A request for predictions of the next token, checked, and its computation part by part.
#pragma once

#include <cstdint>
#include <utility>

#include "absl/status/statusor.h"
#include "lib/prompt/next_tokens.h"
#include "server/services/prompt_input.h"
#include "superpose/v1/prompt_service.pb.h"

namespace superpose {

class NextTokensWork {
 public:
  // Errors: those of ReadPrompt and TopK; TOKEN_OUT_OF_RANGE; CONFIG_INVALID when no token is asked for;
  // REQUEST_TOO_LARGE when the answer would be.
  static absl::StatusOr<NextTokensWork> Prepare(const ModelRegistry& registry,
                                                const v1::PredictNextTokensRequest& request, const Limits& limits);

  // On the device's thread; adds the next part to `response`; true after the last. REQUEST_TOO_LARGE when the answer
  // has become too large.
  absl::StatusOr<bool> RunPart(v1::PredictNextTokensResponse* response);

  int64_t tokens() const { return CountTokens(parts_.all()); }

 private:
  NextTokensWork(PromptInput input, const Limits& limits)
      : model_(std::move(input.model)), parts_(std::move(input.sequences)), limits_(limits) {}
  absl::Status CheckTokenIds() const;
  absl::Status CheckSize() const;

  ModelHandle model_;
  SequenceParts parts_;
  Limits limits_;
  NextTokensQuery query_;
};

}  // namespace superpose
