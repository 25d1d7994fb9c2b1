// A query for feature activations, checked, and its computation.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "lib/transcoder/feature_activations.h"
#include "server/runtime/model_registry.h"
#include "superpose/v1/feature_service.pb.h"

namespace superpose {

class ActivationQuery {
 public:
  // Finds the transcoders and tokenizes texts; everything that can be wrong with a query is found here. Errors: those
  // of the registry, of TokenizeText, of CheckSequences; EMPTY_INPUT; CONFIG_INVALID; FEATURE_OUT_OF_RANGE.
  static absl::StatusOr<ActivationQuery> Prepare(const ModelRegistry& registry, const v1::ActivationsQuery& query);

  int64_t sequences() const { return static_cast<int64_t>(sequences_.size()); }
  int64_t tokens() const;
  // The end of a part that begins with sequence `begin`: as many as have at most `most_tokens` together, but at least
  // one.
  int64_t PartEnd(int64_t begin, int64_t most_tokens) const;
  // Activations of sequences [begin, end). Runs LibTorch: on the device's thread only.
  absl::StatusOr<v1::Activations> Compute(int64_t begin, int64_t end) const;

 private:
  ActivationQuery() = default;
  absl::Status FindTranscoders(const ModelRegistry& registry, const v1::ActivationsQuery& query);
  absl::Status TakeSequences(const v1::ActivationsQuery& query);
  absl::Status TakeFilters(const v1::ActivationsQuery& query);
  SparseActivations Filter(SparseActivations activations) const;

  const LoadedModel* model_ = nullptr;
  std::vector<const LoadedTranscoder*> transcoders_;
  std::vector<TokenSequence> sequences_;
  std::vector<int64_t> feature_ids_;  // ascending; empty: all
  int64_t top_k_ = 0;                 // 0: all
};

}  // namespace superpose
