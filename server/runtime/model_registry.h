// The models, transcoders and corpora that the server holds, found by resource name.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "lib/corpus/corpus.h"
#include "lib/model/model.h"
#include "lib/tokenizer/tokenizer.h"
#include "lib/transcoder/transcoder.h"
#include "superpose/v1/server_config.pb.h"

namespace superpose {

struct LoadedTranscoder {
  std::string name;  // "models/{model}/transcoders/{id}"
  int64_t layer = 0;
  std::shared_ptr<const Transcoder> transcoder;
  std::optional<int64_t> live_features;  // features with log10 frequency above -4, where frequencies are known
};

struct LoadedModel {
  std::string name;  // "models/{model}"
  std::shared_ptr<const Model> model;
  std::shared_ptr<const Tokenizer> tokenizer;  // null: token input only
  std::vector<LoadedTranscoder> transcoders;   // by layer, then name
};

struct LoadedCorpus {
  std::string name;   // "corpora/{corpus}"
  std::string model;  // "models/{model}"
  std::shared_ptr<const Corpus> corpus;
};

// Immutable after Load: any thread may read it.
class ModelRegistry {
 public:
  // Loads everything that the config names; the error of the first thing that fails, with its name before it. Runs
  // LibTorch: call it on the thread that the device belongs to.
  static absl::StatusOr<std::unique_ptr<const ModelRegistry>> Load(const v1::ServerConfig& config);

  const std::map<std::string, LoadedModel>& models() const { return models_; }
  const std::map<std::string, LoadedCorpus>& corpora() const { return corpora_; }

  // "models/{model}", or "models/-" or "" for the only one. MODEL_NOT_FOUND lists the names; SELECTOR_AMBIGUOUS.
  absl::StatusOr<const LoadedModel*> FindModel(const std::string& name) const;
  // "models/{model}/transcoders/{id}" or "models/{model}/layers/{n}", the only transcoder of that layer.
  // TRANSCODER_NOT_FOUND, SELECTOR_AMBIGUOUS (lists the candidates), LAYER_OUT_OF_RANGE, NAME_INVALID.
  absl::StatusOr<const LoadedTranscoder*> FindTranscoder(const std::string& selector) const;
  // The model that a transcoder's resource name or selector begins with.
  absl::StatusOr<const LoadedModel*> ModelOf(const std::string& transcoder_selector) const;
  // "corpora/{corpus}". CORPUS_NOT_FOUND, NAME_INVALID.
  absl::StatusOr<const LoadedCorpus*> FindCorpus(const std::string& name) const;

 private:
  ModelRegistry() = default;
  absl::Status LoadModel(const v1::ModelEntry& entry, const std::string& device);
  absl::Status LoadCorpus(const v1::CorpusEntry& entry);

  std::map<std::string, LoadedModel> models_;
  std::map<std::string, LoadedCorpus> corpora_;
};

}  // namespace superpose
