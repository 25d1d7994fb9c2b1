// The models, transcoders and corpora that the server holds, found by resource name.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "lib/base/mutex.h"
#include "lib/corpus/corpus.h"
#include "lib/model/model.h"
#include "lib/tokenizer/tokenizer.h"
#include "lib/transcoder/self_test.h"
#include "lib/transcoder/transcoder.h"
#include "superpose/v1/server_config.pb.h"

namespace superpose {

class MemoryBudget;
class Residence;
struct LoadContext;

struct LoadedTranscoder {
  std::string name;  // "models/{model}/transcoders/{id}"
  int64_t layer = 0;
  std::shared_ptr<const Transcoder> transcoder;
  std::optional<int64_t> live_features;  // features with log10 frequency above -4, where frequencies are known
  double active_features = 0;            // at a token, on average
  std::optional<SelfTest> self_test;     // nothing where the config turns it off
  std::string self_test_tokens;          // what it was tested with
  std::weak_ptr<Residence> residence;    // of `transcoder`
};
using TranscoderHandle = std::shared_ptr<const LoadedTranscoder>;

struct LoadedModel {
  std::string name;  // "models/{model}"
  std::shared_ptr<const Model> model;
  std::shared_ptr<const Tokenizer> tokenizer;  // null: token input only
  std::string tokenizer_hash;                  // of its files; empty where there is none
  std::vector<TranscoderHandle> transcoders;   // by layer, then name
  std::weak_ptr<Residence> residence;          // of `model`
};
// What was found stays as it is for whoever holds it, whatever is loaded or unloaded meanwhile.
using ModelHandle = std::shared_ptr<const LoadedModel>;

struct ModelAndTranscoder {
  ModelHandle model;
  TranscoderHandle transcoder;  // one of the model's
};

// What token ids mean.
struct Vocabulary {
  int64_t size = 0;
  int64_t bos_token_id = 0;
  int64_t eos_token_id = 0;
  std::string tokenizer;  // LoadedModel::tokenizer_hash; empty where none had a part in it

  bool operator==(const Vocabulary&) const = default;
};

struct LoadedCorpus {
  std::string name;   // "corpora/{corpus}"
  std::string model;  // "models/{model}"
  std::shared_ptr<const Corpus> corpus;
  Vocabulary vocabulary;  // of the model, when this was loaded
  bool uploaded = false;  // else it is of the config file
  std::string owner;      // of an uploaded one
  absl::Time create_time;
};
using CorpusHandle = std::shared_ptr<const LoadedCorpus>;

// The order of a model's transcoders.
bool ComesBefore(const TranscoderHandle& a, const TranscoderHandle& b);

// Thread-safe.
class ModelRegistry {
 public:
  // Loads everything that the config names; the error of the first thing that fails, with its name before it. Runs
  // LibTorch: call it on the thread that the device belongs to.
  // With a budget, which must outlive the registry, memory is reserved there: MEMORY_EXCEEDED.
  static absl::StatusOr<std::unique_ptr<ModelRegistry>> Load(const v1::ServerConfig& config,
                                                             MemoryBudget* budget = nullptr);

  using Models = std::map<std::string, ModelHandle>;  // by name
  using Corpora = std::map<std::string, CorpusHandle>;
  Models models() const;
  Corpora corpora() const;

  // "models/{model}", or "models/-" or "" for the only one. MODEL_NOT_FOUND lists the names; SELECTOR_AMBIGUOUS.
  absl::StatusOr<ModelHandle> FindModel(const std::string& name) const;
  // "models/{model}/transcoders/{id}" or "models/{model}/layers/{n}", the only transcoder of that layer.
  // TRANSCODER_NOT_FOUND, SELECTOR_AMBIGUOUS (lists the candidates), LAYER_OUT_OF_RANGE, NAME_INVALID.
  absl::StatusOr<TranscoderHandle> FindTranscoder(const std::string& selector) const;
  // Both as they are at one moment, whatever is loaded meanwhile.
  absl::StatusOr<ModelAndTranscoder> FindTranscoderWithModel(const std::string& selector) const;
  // The model that a transcoder's resource name or selector begins with.
  absl::StatusOr<ModelHandle> ModelOf(const std::string& transcoder_selector) const;
  // "corpora/{corpus}". CORPUS_NOT_FOUND, NAME_INVALID.
  absl::StatusOr<CorpusHandle> FindCorpus(const std::string& name) const;

  // Makes a model known. ALREADY_EXISTS / RESOURCE_EXISTS when its name is taken.
  absl::Status AddModel(ModelHandle model);
  // MODEL_NOT_FOUND. Whoever holds it, or one of its transcoders, keeps it.
  absl::StatusOr<ModelHandle> RemoveModel(const std::string& name);
  // Makes a transcoder known, in the place of one of its name only if `replace`. RESOURCE_EXISTS; MODEL_NOT_FOUND
  // unless `model`, for which it was loaded, is still the one of its name.
  absl::Status AddTranscoder(const LoadedModel& model, TranscoderHandle transcoder, bool replace);
  // TRANSCODER_NOT_FOUND, MODEL_NOT_FOUND, NAME_INVALID. Whoever holds it keeps it.
  absl::StatusOr<TranscoderHandle> RemoveTranscoder(const std::string& name);

  // Makes a corpus known. ALREADY_EXISTS / RESOURCE_EXISTS when its name is taken.
  absl::Status AddCorpus(CorpusHandle corpus);
  // CORPUS_NOT_FOUND. Whoever holds it keeps it.
  absl::Status RemoveCorpus(const std::string& name);

 private:
  ModelRegistry() = default;
  absl::Status LoadCorpus(const v1::CorpusEntry& entry, MemoryBudget* budget);
  absl::Status LoadTranscoders(const v1::ModelEntry& model, const LoadContext& context);

  mutable Mutex mutex_;
  Models models_ ABSL_GUARDED_BY(mutex_);
  Corpora corpora_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace superpose
