// Checks what a caller asks of midcoder jobs against what the server holds, and fills in every default, so that what is
// queued says all.
#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "lib/corpus/corpus.h"
#include "lib/midcoder/midcoder.h"
#include "lib/midcoder/trainer_config.h"
#include "server/runtime/job_handles.h"
#include "server/runtime/model_registry.h"
#include "superpose/v1/midcoder.pb.h"

namespace superpose {

// Selectors become full transcoder names. Errors: those of the registry, EMPTY_INPUT, CONFIG_INVALID, CONTEXT_EXCEEDED,
// CORPUS_TOO_SMALL.
absl::StatusOr<v1::MidcoderTrainingSpec> ResolveTrainingSpec(const ModelRegistry& registry,
                                                             v1::MidcoderTrainingSpec spec);

// `midcoder` is the one that spec.midcoder names. Errors: those of FindEvaluationHandles, CONFIG_INVALID,
// CONTEXT_EXCEEDED, CORPUS_TOO_SMALL.
absl::StatusOr<v1::MidcoderEvaluationSpec> ResolveEvaluationSpec(const ModelRegistry& registry,
                                                                 const v1::Midcoder& midcoder,
                                                                 v1::MidcoderEvaluationSpec spec);

// The form and gate of a resolved spec; a stored midcoder's are those of its spec.
MidForm FormOf(const v1::MidcoderTrainingSpec& spec);
MidGate GateOf(const v1::MidcoderTrainingSpec& spec);

// Optimizer steps of a resolved spec, whichever way its length is given.
int64_t StepsOf(const v1::MidcoderTrainingSpec& spec);

// What a midcoder of a sweep was trained with: the spec without its grid.
v1::MidcoderTrainingSpec SpecOfVariant(v1::MidcoderTrainingSpec spec, const TrainerVariant& variant);

// What a resolved spec tells the trainer. Errors: those of StatisticsOptionsFor.
absl::StatusOr<TrainerConfig> TrainerConfigFor(const TrainingHandles& handles, const v1::MidcoderTrainingSpec& spec);

// The sequences that a resolved spec reads.
absl::StatusOr<std::shared_ptr<const TokenSequences>> SequencesFor(const LoadedCorpus& corpus,
                                                                   const v1::MidcoderTrainingSpec& spec);
absl::StatusOr<std::shared_ptr<const TokenSequences>> SequencesFor(const LoadedCorpus& corpus,
                                                                   const v1::MidcoderEvaluationSpec& spec);

}  // namespace superpose
