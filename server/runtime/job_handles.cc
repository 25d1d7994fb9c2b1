#include "server/runtime/job_handles.h"

#include <set>
#include <string>

#include "absl/strings/string_view.h"
#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "server/runtime/load_corpus.h"
#include "server/runtime/reasons.h"

namespace superpose {
namespace {

absl::StatusOr<CorpusHandle> FindCorpusOf(const ModelRegistry& registry, const LoadedModel& model,
                                          const std::string& name) {
  SUPERPOSE_ASSIGN_OR_RETURN(CorpusHandle corpus, registry.FindCorpus(name));
  if (corpus->model != model.name) {
    return FailedPrecondition(reason::kConfigInvalid, corpus->name, " is tokenized for ", corpus->model, ", not for ",
                              model.name);
  }
  SUPERPOSE_RETURN_IF_ERROR(CheckVocabulary(*corpus, model));
  return corpus;
}

absl::Status CheckHash(absl::string_view name, absl::string_view hash, absl::string_view trained_on) {
  if (hash == trained_on) return absl::OkStatus();
  return FailedPrecondition(reason::kInputChanged, name, " has the content hash ", hash,
                            ", and the midcoder was trained on one with ", trained_on,
                            ": load that one again, or train a new midcoder");
}

}  // namespace

absl::StatusOr<TrainingHandles> FindTrainingHandles(const ModelRegistry& registry,
                                                    const v1::MidcoderTrainingSpec& spec) {
  return FindTrainingHandles(registry, spec.transcoders(), spec.corpus());
}

absl::StatusOr<TrainingHandles> FindTrainingHandles(const ModelRegistry& registry, const Names& transcoders,
                                                    const std::string& corpus) {
  if (transcoders.empty()) return InvalidArgument(reason::kEmptyInput, "transcoders is empty: name at least one");
  TrainingHandles handles;
  std::set<std::string> names;
  for (const std::string& selector : transcoders) {
    SUPERPOSE_ASSIGN_OR_RETURN(const ModelAndTranscoder found, registry.FindTranscoderWithModel(selector));
    if (handles.model != nullptr && handles.model->name != found.model->name) {
      return InvalidArgument(reason::kConfigInvalid, "the transcoders of one job must be of one model, not of ",
                             handles.model->name, " and ", found.model->name);
    }
    if (!names.insert(found.transcoder->name).second)
      return InvalidArgument(reason::kConfigInvalid, found.transcoder->name, " is named twice");
    handles.model = found.model;
    handles.transcoders.push_back(found.transcoder);
  }
  SUPERPOSE_ASSIGN_OR_RETURN(handles.corpus, FindCorpusOf(registry, *handles.model, corpus));
  return handles;
}

absl::StatusOr<EvaluationHandles> FindEvaluationHandles(const ModelRegistry& registry, const v1::Midcoder& midcoder,
                                                        const v1::MidcoderEvaluationSpec& spec) {
  const v1::Provenance& trained_on = midcoder.provenance();
  SUPERPOSE_ASSIGN_OR_RETURN(const ModelAndTranscoder found, registry.FindTranscoderWithModel(trained_on.transcoder()));
  EvaluationHandles handles{.model = found.model, .transcoder = found.transcoder, .corpus = nullptr};
  SUPERPOSE_RETURN_IF_ERROR(
      CheckHash(handles.model->name, handles.model->model->content_hash(), trained_on.model_hash()));
  SUPERPOSE_RETURN_IF_ERROR(CheckHash(handles.transcoder->name, handles.transcoder->transcoder->content_hash(),
                                      trained_on.transcoder_hash()));
  SUPERPOSE_ASSIGN_OR_RETURN(handles.corpus, FindCorpusOf(registry, *handles.model, spec.corpus()));
  return handles;
}

}  // namespace superpose
