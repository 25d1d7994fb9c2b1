#include "server/runtime/model_registry.h"

#include <ATen/Context.h>

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "lib/base/torch_guard.h"
#include "server/runtime/reasons.h"

namespace superpose {
namespace {

absl::StatusOr<at::Device> DeviceOf(const std::string& name) {
  return CatchTorch([&]() -> absl::StatusOr<at::Device> {
    at::Device device(name);
    if (device.is_cuda() && !at::hasCUDA()) {
      return FailedPrecondition(reason::kDeviceUnavailable, "device \"", name,
                                "\": no CUDA device on this machine; use \"cpu\"");
    }
    return device;
  });
}

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

absl::StatusOr<const LoadedTranscoder*> FindByLayer(const LoadedModel& model, const std::string& layer_text) {
  int64_t layer = -1;
  if (!absl::SimpleAtoi(layer_text, &layer)) {
    return InvalidArgument(reason::kNameInvalid, "layer \"", layer_text, "\" must be a number");
  }
  SUPERPOSE_RETURN_IF_ERROR(model.model->CheckLayer(layer));
  std::vector<const LoadedTranscoder*> found;
  for (const LoadedTranscoder& candidate : model.transcoders) {
    if (candidate.layer == layer) found.push_back(&candidate);
  }
  if (found.empty()) {
    return NotFound(reason::kTranscoderNotFound, model.name, " has no transcoder for layer ", layer);
  }
  if (found.size() > 1) {
    auto name = [](std::string* out, const LoadedTranscoder* candidate) { out->append(candidate->name); };
    return FailedPrecondition(reason::kSelectorAmbiguous, "layer ", layer, " has several transcoders; name one of ",
                              absl::StrJoin(found, ", ", name));
  }
  return found.front();
}

absl::Status CheckFits(const Transcoder& transcoder, const Model& model, int64_t layer) {
  if (transcoder.d_model() != model.config().d_model) {
    return FailedPrecondition(reason::kTranscoderMismatch, "it reads d_model ", transcoder.d_model(),
                              " but the model has ", model.config().d_model);
  }
  const int64_t declared = transcoder.declared_layer();
  if (declared < 0 || declared == layer) return absl::OkStatus();
  return FailedPrecondition(reason::kTranscoderMismatch, "its file says that it was trained on layer ", declared,
                            ", but the config puts it on layer ", layer);
}

}  // namespace

absl::StatusOr<std::unique_ptr<const ModelRegistry>> ModelRegistry::Load(const v1::ServerConfig& config) {
  std::unique_ptr<ModelRegistry> registry(new ModelRegistry());
  for (const v1::ModelEntry& entry : config.model()) {
    absl::Status loaded = registry->LoadModel(entry, config.device());
    if (!loaded.ok()) return WithContext(loaded, absl::StrCat("model \"", entry.name(), "\""));
  }
  for (const v1::CorpusEntry& entry : config.corpus()) {
    absl::Status loaded = registry->LoadCorpus(entry);
    if (!loaded.ok()) return WithContext(loaded, absl::StrCat("corpus \"", entry.name(), "\""));
  }
  return std::unique_ptr<const ModelRegistry>(std::move(registry));
}

absl::Status ModelRegistry::LoadModel(const v1::ModelEntry& entry, const std::string& device_name) {
  SUPERPOSE_ASSIGN_OR_RETURN(at::Device device, DeviceOf(device_name));
  LoadedModel loaded;
  loaded.name = absl::StrCat("models/", entry.name());
  SUPERPOSE_ASSIGN_OR_RETURN(loaded.model, Model::Load(entry.path(), device));
  auto tokenizer = Tokenizer::Load(entry.path());
  if (tokenizer.ok()) {
    loaded.tokenizer = *std::move(tokenizer);
  } else if (ReasonOf(tokenizer.status()) != reason::kTokenizerMissing) {
    return tokenizer.status();
  }
  for (const v1::TranscoderEntry& file : entry.transcoder()) {
    std::string name = absl::StrCat(loaded.name, "/transcoders/", file.id());
    SUPERPOSE_RETURN_IF_ERROR(loaded.model->CheckLayer(file.layer()));
    auto transcoder = Transcoder::Load({file.path(), file.log_sparsity_path()}, device);
    absl::Status status = transcoder.ok() ? CheckFits(**transcoder, *loaded.model, file.layer()) : transcoder.status();
    if (!status.ok()) return WithContext(status, name);
    std::optional<int64_t> live_features;
    if ((*transcoder)->has_log_sparsity()) {
      SUPERPOSE_ASSIGN_OR_RETURN(at::Tensor live, (*transcoder)->LiveFeatures());
      live_features = live.numel();
    }
    loaded.transcoders.push_back({name, file.layer(), *std::move(transcoder), live_features});
  }
  std::sort(loaded.transcoders.begin(), loaded.transcoders.end(),
            [](const LoadedTranscoder& a, const LoadedTranscoder& b) {
              return std::tie(a.layer, a.name) < std::tie(b.layer, b.name);
            });
  models_[loaded.name] = std::move(loaded);
  return absl::OkStatus();
}

absl::Status ModelRegistry::LoadCorpus(const v1::CorpusEntry& entry) {
  std::string model_name = absl::StrCat("models/", entry.model());
  const LoadedModel& model = models_.at(model_name);
  const ModelConfig& config = model.model->config();
  SUPERPOSE_ASSIGN_OR_RETURN(auto corpus, Corpus::Load({entry.path(), entry.token_dtype()}, model.tokenizer.get(),
                                                       config.vocab_size, config.bos_token_id, config.eos_token_id));
  std::string name = absl::StrCat("corpora/", entry.name());
  corpora_[name] = {name, model_name, std::move(corpus)};
  return absl::OkStatus();
}

absl::StatusOr<const LoadedModel*> ModelRegistry::FindModel(const std::string& name) const {
  if (name.empty() || name == "models/-") {
    if (models_.size() == 1) return &models_.begin()->second;
    return FailedPrecondition(reason::kSelectorAmbiguous, "there are several models; name one of ", NamesOf(models_));
  }
  if (!absl::StartsWith(name, "models/")) {
    return InvalidArgument(reason::kNameInvalid, "model \"", name, "\" must be models/{model}");
  }
  auto found = models_.find(name);
  if (found != models_.end()) return &found->second;
  return NotFound(reason::kModelNotFound, "no model \"", name, "\"; there are: ", NamesOf(models_));
}

absl::StatusOr<const LoadedModel*> ModelRegistry::ModelOf(const std::string& transcoder_selector) const {
  SUPERPOSE_ASSIGN_OR_RETURN(TranscoderSelector selector, ParseSelector(transcoder_selector));
  return FindModel(selector.model);
}

absl::StatusOr<const LoadedTranscoder*> ModelRegistry::FindTranscoder(const std::string& text) const {
  SUPERPOSE_ASSIGN_OR_RETURN(TranscoderSelector selector, ParseSelector(text));
  SUPERPOSE_ASSIGN_OR_RETURN(const LoadedModel* model, FindModel(selector.model));
  if (selector.collection == "layers") return FindByLayer(*model, selector.id);
  std::string name = absl::StrCat(model->name, "/transcoders/", selector.id);
  for (const LoadedTranscoder& candidate : model->transcoders) {
    if (candidate.name == name) return &candidate;
  }
  auto append = [](std::string* out, const LoadedTranscoder& candidate) { out->append(candidate.name); };
  return NotFound(reason::kTranscoderNotFound, "no transcoder \"", text,
                  "\"; there are: ", absl::StrJoin(model->transcoders, ", ", append));
}

absl::StatusOr<const LoadedCorpus*> ModelRegistry::FindCorpus(const std::string& name) const {
  if (!absl::StartsWith(name, "corpora/")) {
    return InvalidArgument(reason::kNameInvalid, "corpus \"", name, "\" must be corpora/{corpus}");
  }
  auto found = corpora_.find(name);
  if (found != corpora_.end()) return &found->second;
  return NotFound(reason::kCorpusNotFound, "no corpus \"", name, "\"; there are: ", NamesOf(corpora_));
}

}  // namespace superpose
