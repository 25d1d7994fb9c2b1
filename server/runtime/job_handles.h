// What the specs of midcoder jobs name, found once and held for as long as a job works on it: a load or unload
// meanwhile changes nothing for the job.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "server/runtime/model_registry.h"
#include "superpose/v1/midcoder.pb.h"

namespace superpose {

struct TrainingHandles {
  ModelHandle model;
  std::vector<TranscoderHandle> transcoders;  // one for each that the spec names
  CorpusHandle corpus;
};

// Errors: those of the registry; EMPTY_INPUT without transcoders; CONFIG_INVALID when they are of several models, one
// is named twice, or the corpus is another model's; those of CheckVocabulary.
absl::StatusOr<TrainingHandles> FindTrainingHandles(const ModelRegistry& registry,
                                                    const v1::MidcoderTrainingSpec& spec);
// The same for any job that works on transcoders of one model and a corpus.
using Names = google::protobuf::RepeatedPtrField<std::string>;
absl::StatusOr<TrainingHandles> FindTrainingHandles(const ModelRegistry& registry, const Names& transcoders,
                                                    const std::string& corpus);

struct EvaluationHandles {
  ModelHandle model;
  TranscoderHandle transcoder;
  CorpusHandle corpus;
};

// `midcoder` is the one that the spec names; the spec's corpus must be filled in. Errors: those of the registry;
// FAILED_PRECONDITION / INPUT_CHANGED when the model or the transcoder of that name is not the one that the midcoder
// was trained on; CONFIG_INVALID when the corpus is another model's; those of CheckVocabulary.
absl::StatusOr<EvaluationHandles> FindEvaluationHandles(const ModelRegistry& registry, const v1::Midcoder& midcoder,
                                                        const v1::MidcoderEvaluationSpec& spec);

}  // namespace superpose
