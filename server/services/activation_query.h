// A query for feature activations, checked, and its computation.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "lib/transcoder/feature_activations.h"
#include "server/runtime/choose_batch.h"
#include "server/runtime/memory_budget.h"
#include "server/runtime/model_registry.h"
#include "server/services/tokens.h"
#include "superpose/v1/feature_service.pb.h"

namespace superpose {

class ActivationQuery {
 public:
  // Finds the transcoders and tokenizes texts; everything that can be wrong with a query is found here. Errors: those
  // of the registry, of TokenizeText, of CheckSequences; EMPTY_INPUT; CONFIG_INVALID; FEATURE_OUT_OF_RANGE.
  // No transcoder may be named twice. Texts that must be more than `most_tokens` are not tokenized: REQUEST_TOO_LARGE.
  static absl::StatusOr<ActivationQuery> Prepare(const ModelRegistry& registry, const v1::ActivationsQuery& query,
                                                 int64_t most_tokens = kAnyTokens);

  int64_t sequences() const { return static_cast<int64_t>(sequences_.size()); }
  int64_t tokens() const { return CountTokens(sequences_); }
  // The end of a part that begins with sequence `begin` and has at most `most_tokens`, but at least one sequence.
  int64_t PartEnd(int64_t begin, int64_t most_tokens) const {
    return superpose::PartEnd(sequences_, begin, most_tokens);
  }
  // What the sequences themselves take, for as long as this lives. MEMORY_EXCEEDED.
  absl::StatusOr<MemoryReservation> ReserveTokens(MemoryBudget* budget) const;
  // The memory that Compute() for these sequences takes, and its answer after that. MEMORY_EXCEEDED says how many would
  // fit.
  absl::StatusOr<MemoryReservation> Reserve(MemoryBudget* budget, int64_t begin, int64_t end) const;
  // The same error when there would be too little even if nothing else ran.
  absl::Status CheckCanEverFit(const MemoryBudget& budget, int64_t begin, int64_t end) const;
  // What decides which queries can be computed together: those for one model as it is loaded now.
  BatchItem AsBatchItem() const;
  // The activations of all sequences of each of `queries`, which are of one model, from one pass, as ComputeLayers()
  // gives them; and the memory that they and their answers take. MEMORY_EXCEEDED. On the device's thread only.
  struct Computed {
    std::vector<SparseActivations> layers;
    MemoryReservation memory;
  };
  static absl::StatusOr<std::vector<Computed>> ComputeTogether(absl::Span<const ActivationQuery* const> queries,
                                                               MemoryBudget* budget);
  // Activations of sequences [begin, end). Runs LibTorch: on the device's thread only.
  absl::StatusOr<v1::Activations> Compute(int64_t begin, int64_t end) const;
  // The two halves of it: the numbers, on the CPU and filtered, one for each transcoder; and the answer that they make.
  absl::StatusOr<std::vector<SparseActivations>> ComputeLayers(int64_t begin, int64_t end) const;
  absl::StatusOr<v1::Activations> Describe(int64_t begin, int64_t end,
                                           const std::vector<SparseActivations>& layers) const;

 private:
  ActivationQuery() = default;
  absl::Status FindTranscoders(const ModelRegistry& registry, const v1::ActivationsQuery& query);
  absl::Status TakeSequences(const v1::ActivationsQuery& query, int64_t most_tokens);
  absl::Status TakeFilters(const v1::ActivationsQuery& query);
  int64_t PeakBytes(int64_t begin, int64_t end) const;
  // Of the activations of all sequences and of the answer.
  int64_t AnsweredBytes() const;
  std::vector<int64_t> Lengths(int64_t begin, int64_t end) const;
  std::vector<LayerTranscoder> Layers() const;
  static absl::StatusOr<MemoryReservation> ReserveTogether(absl::Span<const ActivationQuery* const> queries,
                                                           MemoryBudget* budget);
  std::string WhatFits(int64_t begin, int64_t end, int64_t room) const;
  // On the CPU; one for each transcoder.
  absl::Status FilterAll(std::vector<SparseActivations>* layers) const;
  // Of the transcoder of that index.
  SparseActivations Filter(size_t index, SparseActivations activations) const;

  ModelHandle model_;
  std::vector<TranscoderHandle> transcoders_;
  std::vector<TokenSequence> sequences_;
  std::vector<at::Tensor> feature_ids_;  // one a transcoder, ascending; empty: all
  int64_t top_k_ = 0;                    // 0: all
};

}  // namespace superpose
