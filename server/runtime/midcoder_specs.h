// Checks what a caller asks of midcoder jobs against what the server holds, and fills in every default, so that what is
// queued says all.
#pragma once

#include "absl/status/statusor.h"
#include "lib/corpus/corpus.h"
#include "lib/midcoder/trainer_config.h"
#include "server/runtime/model_registry.h"
#include "superpose/v1/midcoder.pb.h"

namespace superpose {

// Selectors become full transcoder names. Errors: those of the registry, EMPTY_INPUT, CONFIG_INVALID, CONTEXT_EXCEEDED,
// CORPUS_TOO_SMALL.
absl::StatusOr<v1::MidcoderTrainingSpec> ResolveTrainingSpec(const ModelRegistry& registry,
                                                             v1::MidcoderTrainingSpec spec);

// `midcoder` is the one that spec.midcoder names.
absl::StatusOr<v1::MidcoderEvaluationSpec> ResolveEvaluationSpec(const ModelRegistry& registry,
                                                                 const v1::Midcoder& midcoder,
                                                                 v1::MidcoderEvaluationSpec spec);

// Optimizer steps of a resolved spec, whichever way its length is given.
int64_t StepsOf(const v1::MidcoderTrainingSpec& spec);

// What a resolved spec tells the trainer.
absl::StatusOr<TrainerConfig> TrainerConfigFor(const ModelRegistry& registry, const v1::MidcoderTrainingSpec& spec);

// The sequences that a resolved spec reads.
absl::StatusOr<std::shared_ptr<const TokenSequences>> SequencesFor(const ModelRegistry& registry,
                                                                   const std::string& corpus, int64_t context_length,
                                                                   v1::CorpusSplit split);

}  // namespace superpose
