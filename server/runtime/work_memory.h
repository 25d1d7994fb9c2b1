// What jobs and calls take in memory, from what the server holds, and what would fit where they do not.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "lib/base/memory_estimate.h"
#include "lib/transcoder/transcoder_memory.h"
#include "server/runtime/model_registry.h"
#include "superpose/v1/midcoder.pb.h"

namespace superpose {

TranscoderShape ShapeOf(const LoadedTranscoder& transcoder);

// Of specs with every default filled in. Errors: those of the registry.
absl::StatusOr<MemoryEstimate> EstimateTraining(const ModelRegistry& registry, const v1::MidcoderTrainingSpec& spec);
absl::StatusOr<MemoryEstimate> EstimateEvaluation(const ModelRegistry& registry, const v1::Midcoder& midcoder,
                                                  const v1::MidcoderEvaluationSpec& spec);

// What of a training would fit in `room` bytes, in words: the largest batch, or with the smallest the number of layers.
std::string TrainingThatFits(const ModelRegistry& registry, const v1::MidcoderTrainingSpec& spec, int64_t room);

// Activations of sequences of these lengths, and their answer: as a message and on its way. Twice the features that are
// active on average are counted on.
MemoryEstimate EstimateActivations(const LoadedModel& model, const std::vector<TranscoderHandle>& transcoders,
                                   const std::vector<int64_t>& lengths);

}  // namespace superpose
