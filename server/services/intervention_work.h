// A request to set features, checked, and its computation part by part.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "lib/prompt/intervention.h"
#include "server/services/prompt_input.h"
#include "superpose/v1/prompt_service.pb.h"

namespace superpose {

class InterventionWork {
 public:
  // Errors: those of ReadPrompt, FindTranscoderOf and TopK; EMPTY_INPUT; FEATURE_OUT_OF_RANGE; CONFIG_INVALID.
  static absl::StatusOr<InterventionWork> Prepare(const ModelRegistry& registry, const v1::InterveneRequest& request,
                                                  const Limits& limits);

  // On the device's thread; adds the next part to `response`; true after the last. REQUEST_TOO_LARGE when the answer
  // has become too large.
  absl::StatusOr<bool> RunPart(v1::InterveneResponse* response);

  int64_t tokens() const { return CountTokens(parts_.all()); }

 private:
  InterventionWork(PromptInput input, const Limits& limits)
      : model_(std::move(input.model)), parts_(std::move(input.sequences)), limits_(limits) {}
  absl::Status TakeMode(int mode);
  absl::Status TakeSetting(const ModelRegistry& registry, const v1::FeatureSetting& setting);
  // The settings so far of a transcoder.
  TranscoderSettings& SettingsOf(const TranscoderHandle& transcoder);
  void AddEffect(int64_t first_sequence, const InterventionEffect& effect, v1::InterveneResponse* response) const;
  void Describe(v1::InterveneResponse* response) const;

  ModelHandle model_;
  SequenceParts parts_;
  Limits limits_;
  std::vector<TranscoderHandle> transcoders_;  // of intervention_.transcoders
  Intervention intervention_;
  int64_t top_k_ = 0;
};

}  // namespace superpose
