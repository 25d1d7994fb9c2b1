#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "lib/base/mutex.h"
#include "server/corpora/corpus_description.h"
#include "server/jobs/data_folder.h"
#include "server/runtime/clock.h"
#include "server/runtime/memory_budget.h"
#include "server/runtime/model_registry.h"
#include "server/uploads/upload_store.h"

namespace superpose {

// What a new corpus is to be made of.
struct NewCorpus {
  std::string id;     // in "corpora/{id}"; empty: made from the content's hash
  std::string model;  // "models/{model}", "models/-" or ""
  std::vector<std::string> uploads;
  std::string format;
  std::string token_dtype;  // of .bin files: "uint16" or "uint32"; empty: "uint16"
  std::string owner;
  std::function<bool()> is_cancelled;  // may be null
};

// The corpora that users uploaded: corpora/{id}/ in the data folder, with their files and corpus.json. Those that are
// loaded are in the registry. Thread-safe; blocks on disk, and Create tokenizes: on a worker of its own.
class CorpusStore {
 public:
  // All must outlive this. Removes half-made corpora and loads the others; what does not load any more (its model is
  // gone, or another, or there is no memory for it) is left alone, with a warning in the log. `budget` may be null.
  static absl::StatusOr<std::unique_ptr<CorpusStore>> Open(const DataFolder* folder, UploadStore* uploads,
                                                           ModelRegistry* registry, const Clock* clock,
                                                           MemoryBudget* budget = nullptr);

  // Makes a corpus of complete uploads, which it then owns, and loads it. The same content under the same name again
  // returns what is there. Errors: NAME_INVALID; MODEL_NOT_FOUND; SELECTOR_AMBIGUOUS; CONFIG_INVALID; EMPTY_INPUT;
  // those of UploadStore::PathOf and LoadCorpusFiles; ALREADY_EXISTS / RESOURCE_EXISTS for other content; CANCELLED.
  absl::StatusOr<CorpusHandle> Create(const NewCorpus& wanted);

  // Forgets a corpus and removes its files. CORPUS_NOT_FOUND; NAME_INVALID; FAILED_PRECONDITION / RESOURCE_IN_USE for
  // corpora of the config file. Whether jobs read it is for the caller to know.
  absl::Status Delete(const std::string& name);

 private:
  CorpusStore(std::string folder, UploadStore* uploads, ModelRegistry* registry, const Clock* clock,
              MemoryBudget* budget)
      : folder_(std::move(folder)), uploads_(uploads), registry_(registry), clock_(clock), budget_(budget) {}
  std::string FolderOf(const std::string& id) const { return folder_ + "/" + id; }
  absl::Status LoadAll();
  absl::Status LoadOne(const std::string& id);
  absl::StatusOr<CorpusHandle> Load(const std::string& id, const CorpusDescription& description,
                                    const std::vector<std::string>& files, const std::function<bool()>& is_cancelled);
  // What is there under this name: null when nothing is.
  absl::StatusOr<CorpusHandle> FindSame(const std::string& id, const CorpusDescription& description);
  absl::StatusOr<CorpusHandle> Keep(const CorpusDescription& description, CorpusHandle corpus);
  absl::Status MakeFiles(const CorpusDescription& description, const std::string& folder);

  const std::string folder_;
  UploadStore* const uploads_;
  ModelRegistry* const registry_;
  const Clock* const clock_;
  MemoryBudget* const budget_;
  Mutex mutex_;  // held while folders are made and removed
};

}  // namespace superpose
