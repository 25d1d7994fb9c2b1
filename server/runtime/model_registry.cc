#include "server/runtime/model_registry.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "server/runtime/load_corpus.h"
#include "server/runtime/load_model.h"
#include "server/runtime/reasons.h"

namespace superpose {
namespace {

template <typename Map>
std::string NamesOf(const Map& map) {
  return absl::StrJoin(map, ", ", [](std::string* out, const auto& entry) { out->append(entry.first); });
}

// "models/{model}/{collection}/{id}"
struct TranscoderSelector {
  std::string model;
  std::string collection;
  std::string id;
};

absl::StatusOr<TranscoderSelector> ParseSelector(const std::string& selector) {
  std::vector<std::string> parts = absl::StrSplit(selector, '/');
  bool formed = parts.size() == 4 && parts[0] == "models" && (parts[2] == "transcoders" || parts[2] == "layers");
  if (!formed) {
    return InvalidArgument(reason::kNameInvalid, "transcoder \"", selector,
                           "\" must be models/{model}/transcoders/{id} or models/{model}/layers/{n}");
  }
  return TranscoderSelector{absl::StrCat("models/", parts[1]), parts[2], parts[3]};
}

absl::StatusOr<TranscoderHandle> FindByLayer(const LoadedModel& model, const std::string& layer_text) {
  int64_t layer = -1;
  if (!absl::SimpleAtoi(layer_text, &layer)) {
    return InvalidArgument(reason::kNameInvalid, "layer \"", layer_text, "\" must be a number");
  }
  SUPERPOSE_RETURN_IF_ERROR(model.model->CheckLayer(layer));
  std::vector<TranscoderHandle> found;
  for (const TranscoderHandle& candidate : model.transcoders) {
    if (candidate->layer == layer) found.push_back(candidate);
  }
  if (found.empty()) {
    return NotFound(reason::kTranscoderNotFound, model.name, " has no transcoder for layer ", layer);
  }
  if (found.size() > 1) {
    auto name = [](std::string* out, const TranscoderHandle& candidate) { out->append(candidate->name); };
    return FailedPrecondition(reason::kSelectorAmbiguous, "layer ", layer, " has several transcoders; name one of ",
                              absl::StrJoin(found, ", ", name));
  }
  return found.front();
}

absl::StatusOr<TranscoderHandle> FindById(const LoadedModel& model, const std::string& id) {
  const std::string name = absl::StrCat(model.name, "/transcoders/", id);
  for (const TranscoderHandle& candidate : model.transcoders) {
    if (candidate->name == name) return candidate;
  }
  auto append = [](std::string* out, const TranscoderHandle& candidate) { out->append(candidate->name); };
  return NotFound(reason::kTranscoderNotFound, "no transcoder \"", name,
                  "\"; there are: ", absl::StrJoin(model.transcoders, ", ", append));
}

}  // namespace

bool ComesBefore(const TranscoderHandle& a, const TranscoderHandle& b) {
  return std::tie(a->layer, a->name) < std::tie(b->layer, b->name);
}

absl::StatusOr<std::unique_ptr<ModelRegistry>> ModelRegistry::Load(const v1::ServerConfig& config,
                                                                   MemoryBudget* budget) {
  std::unique_ptr<ModelRegistry> registry(new ModelRegistry());
  LoadContext context{.device = c10::Device(c10::kCPU), .budget = budget};
  SUPERPOSE_ASSIGN_OR_RETURN(context.device, FindDevice(config.device()));
  context.registry = registry.get();
  context.int8_prefilter = config.int8_prefilter();
  if (config.self_test() != v1::SELF_TEST_POLICY_UNSPECIFIED) context.self_test = config.self_test();
  for (v1::ModelEntry entry : config.model()) {
    // Its transcoders come after the corpora, which their self-test may need.
    entry.clear_transcoder();
    auto model = LoadModelFiles(entry, context);
    if (!model.ok()) return WithContext(model.status(), absl::StrCat("model \"", entry.name(), "\""));
    SUPERPOSE_RETURN_IF_ERROR(registry->AddModel(*std::move(model)));
  }
  for (const v1::CorpusEntry& entry : config.corpus()) {
    absl::Status loaded = registry->LoadCorpus(entry, budget);
    if (!loaded.ok()) return WithContext(loaded, absl::StrCat("corpus \"", entry.name(), "\""));
  }
  for (const v1::ModelEntry& entry : config.model()) {
    absl::Status loaded = registry->LoadTranscoders(entry, context);
    if (!loaded.ok()) return WithContext(loaded, absl::StrCat("model \"", entry.name(), "\""));
  }
  return registry;
}

absl::Status ModelRegistry::LoadTranscoders(const v1::ModelEntry& model, const LoadContext& context) {
  for (const v1::TranscoderEntry& entry : model.transcoder()) {
    SUPERPOSE_ASSIGN_OR_RETURN(const ModelHandle found, FindModel(absl::StrCat("models/", model.name())));
    SUPERPOSE_ASSIGN_OR_RETURN(TranscoderHandle transcoder, LoadTranscoderFiles(*found, entry, context));
    SUPERPOSE_RETURN_IF_ERROR(AddTranscoder(*found, std::move(transcoder), /*replace=*/false));
  }
  return absl::OkStatus();
}

absl::Status ModelRegistry::LoadCorpus(const v1::CorpusEntry& entry, MemoryBudget* budget) {
  std::string model_name = absl::StrCat("models/", entry.model());
  SUPERPOSE_ASSIGN_OR_RETURN(const ModelHandle model, FindModel(model_name));
  CorpusFiles files;
  files.paths.assign(entry.path().begin(), entry.path().end());
  files.token_dtype = entry.token_dtype();
  SUPERPOSE_ASSIGN_OR_RETURN(LoadedCorpus loaded, LoadCorpusFiles(std::move(files), *model, budget));
  loaded.name = absl::StrCat("corpora/", entry.name());
  return AddCorpus(std::make_shared<LoadedCorpus>(std::move(loaded)));
}

ModelRegistry::Models ModelRegistry::models() const {
  const MutexLock lock(&mutex_);
  return models_;
}

ModelRegistry::Corpora ModelRegistry::corpora() const {
  const MutexLock lock(&mutex_);
  return corpora_;
}

absl::StatusOr<ModelHandle> ModelRegistry::FindModel(const std::string& name) const {
  const MutexLock lock(&mutex_);
  if (name.empty() || name == "models/-") {
    if (models_.size() == 1) return models_.begin()->second;
    if (models_.empty()) return NotFound(reason::kModelNotFound, "no model is loaded");
    return FailedPrecondition(reason::kSelectorAmbiguous, "there are several models; name one of ", NamesOf(models_));
  }
  if (!absl::StartsWith(name, "models/")) {
    return InvalidArgument(reason::kNameInvalid, "model \"", name, "\" must be models/{model}");
  }
  auto found = models_.find(name);
  if (found != models_.end()) return found->second;
  return NotFound(reason::kModelNotFound, "no model \"", name, "\"; there are: ", NamesOf(models_));
}

absl::StatusOr<ModelHandle> ModelRegistry::ModelOf(const std::string& transcoder_selector) const {
  SUPERPOSE_ASSIGN_OR_RETURN(TranscoderSelector selector, ParseSelector(transcoder_selector));
  return FindModel(selector.model);
}

absl::StatusOr<TranscoderHandle> ModelRegistry::FindTranscoder(const std::string& selector) const {
  SUPERPOSE_ASSIGN_OR_RETURN(ModelAndTranscoder found, FindTranscoderWithModel(selector));
  return std::move(found.transcoder);
}

absl::StatusOr<ModelAndTranscoder> ModelRegistry::FindTranscoderWithModel(const std::string& text) const {
  SUPERPOSE_ASSIGN_OR_RETURN(const TranscoderSelector selector, ParseSelector(text));
  SUPERPOSE_ASSIGN_OR_RETURN(const ModelHandle model, FindModel(selector.model));
  SUPERPOSE_ASSIGN_OR_RETURN(TranscoderHandle transcoder, selector.collection == "layers"
                                                              ? FindByLayer(*model, selector.id)
                                                              : FindById(*model, selector.id));
  return ModelAndTranscoder{model, std::move(transcoder)};
}

absl::StatusOr<CorpusHandle> ModelRegistry::FindCorpus(const std::string& name) const {
  if (!absl::StartsWith(name, "corpora/")) {
    return InvalidArgument(reason::kNameInvalid, "corpus \"", name, "\" must be corpora/{corpus}");
  }
  const MutexLock lock(&mutex_);
  auto found = corpora_.find(name);
  if (found != corpora_.end()) return found->second;
  return NotFound(reason::kCorpusNotFound, "no corpus \"", name, "\"; there are: ", NamesOf(corpora_));
}

absl::Status ModelRegistry::AddModel(ModelHandle model) {
  const MutexLock lock(&mutex_);
  const std::string name = model->name;
  if (models_.emplace(name, std::move(model)).second) return absl::OkStatus();
  return Error(absl::StatusCode::kAlreadyExists, reason::kResourceExists,
               absl::StrCat("there is a model \"", name, "\" already: unload it, or take another name"));
}

absl::StatusOr<ModelHandle> ModelRegistry::RemoveModel(const std::string& name) {
  const MutexLock lock(&mutex_);
  const auto found = models_.find(name);
  if (found == models_.end())
    return NotFound(reason::kModelNotFound, "no model \"", name, "\"; there are: ", NamesOf(models_));
  ModelHandle removed = std::move(found->second);
  models_.erase(found);
  return removed;
}

absl::Status ModelRegistry::AddTranscoder(const LoadedModel& model, TranscoderHandle transcoder, bool replace) {
  const MutexLock lock(&mutex_);
  const auto found = models_.find(model.name);
  if (found == models_.end() || found->second->model != model.model)
    return NotFound(reason::kModelNotFound, model.name, " was unloaded while ", transcoder->name, " was loaded");
  auto changed = std::make_shared<LoadedModel>(*found->second);
  std::vector<TranscoderHandle>& all = changed->transcoders;
  const auto old =
      std::find_if(all.begin(), all.end(), [&](const TranscoderHandle& one) { return one->name == transcoder->name; });
  if (old != all.end() && !replace) {
    return Error(absl::StatusCode::kAlreadyExists, reason::kResourceExists,
                 absl::StrCat("there is a transcoder \"", transcoder->name,
                              "\" already: ask to replace it, or take another id"));
  }
  if (old != all.end()) all.erase(old);
  all.insert(std::upper_bound(all.begin(), all.end(), transcoder, ComesBefore), transcoder);
  found->second = std::move(changed);
  return absl::OkStatus();
}

absl::StatusOr<TranscoderHandle> ModelRegistry::RemoveTranscoder(const std::string& name) {
  SUPERPOSE_ASSIGN_OR_RETURN(TranscoderHandle transcoder, FindTranscoder(name));
  const MutexLock lock(&mutex_);
  const auto found = models_.find(transcoder->name.substr(0, transcoder->name.find("/transcoders/")));
  if (found == models_.end()) return NotFound(reason::kModelNotFound, "the model of ", name, " was unloaded");
  auto changed = std::make_shared<LoadedModel>(*found->second);
  std::vector<TranscoderHandle>& all = changed->transcoders;
  all.erase(std::remove(all.begin(), all.end(), transcoder), all.end());
  found->second = std::move(changed);
  return transcoder;
}

absl::Status ModelRegistry::AddCorpus(CorpusHandle corpus) {
  const MutexLock lock(&mutex_);
  const std::string& name = corpus->name;
  if (corpora_.emplace(name, corpus).second) return absl::OkStatus();
  return Error(absl::StatusCode::kAlreadyExists, reason::kResourceExists,
               absl::StrCat("there is a corpus \"", name, "\" already: delete it, or take another name"));
}

absl::Status ModelRegistry::RemoveCorpus(const std::string& name) {
  const MutexLock lock(&mutex_);
  if (corpora_.erase(name) > 0) return absl::OkStatus();
  return NotFound(reason::kCorpusNotFound, "no corpus \"", name, "\"; there are: ", NamesOf(corpora_));
}

}  // namespace superpose
