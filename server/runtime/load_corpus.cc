#include "server/runtime/load_corpus.h"

#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "server/runtime/reasons.h"
#include "server/runtime/residence.h"

namespace superpose {
namespace {

std::string InWords(const Vocabulary& vocabulary) {
  const std::string tokenizer =
      vocabulary.tokenizer.empty() ? "" : absl::StrCat(", tokenizer ", vocabulary.tokenizer.substr(0, 12));
  return absl::StrCat(vocabulary.size, " ids, BOS ", vocabulary.bos_token_id, ", end-of-text ", vocabulary.eos_token_id,
                      tokenizer);
}

}  // namespace

Vocabulary VocabularyOf(const LoadedModel& model) {
  const ModelConfig& config = model.model->config();
  return {.size = config.vocab_size,
          .bos_token_id = config.bos_token_id,
          .eos_token_id = config.eos_token_id,
          .tokenizer = model.tokenizer_hash};
}

absl::StatusOr<LoadedCorpus> LoadCorpusFiles(CorpusFiles files, const LoadedModel& model, MemoryBudget* budget) {
  LoadedCorpus loaded;
  loaded.model = model.name;
  loaded.vocabulary = VocabularyOf(model);
  MemoryReservation memory;
  if (budget != nullptr) {
    SUPERPOSE_ASSIGN_OR_RETURN(memory, budget->Reserve(MemoryUse::kLoaded, 0, "a corpus"));
    files.hold = [budget, &memory](int64_t bytes) {
      return budget->GrowTo(bytes, &memory, "the corpus, as far as it has been read,",
                            "make it smaller, unload something, or raise memory_limit_bytes");
    };
  }
  SUPERPOSE_ASSIGN_OR_RETURN(
      loaded.corpus, Corpus::Load(files, model.tokenizer.get(), loaded.vocabulary.size, loaded.vocabulary.bos_token_id,
                                  loaded.vocabulary.eos_token_id));
  // Ids that a file brings are nobody's tokenizer's.
  if (loaded.corpus->documents() == 0) loaded.vocabulary.tokenizer.clear();
  loaded.corpus = WithResidence<Corpus>(std::move(loaded.corpus), std::make_shared<Residence>(std::move(memory)));
  return loaded;
}

absl::Status CheckVocabulary(const LoadedCorpus& corpus, const LoadedModel& model) {
  Vocabulary now = VocabularyOf(model);
  if (corpus.vocabulary.tokenizer.empty()) now.tokenizer.clear();
  if (corpus.vocabulary == now) return absl::OkStatus();
  return FailedPrecondition(reason::kInputChanged, corpus.name, " was made for ", corpus.model,
                            " with another vocabulary (", InWords(corpus.vocabulary), ") than the one loaded now (",
                            InWords(now), "): load the former again, or make the corpus anew");
}

}  // namespace superpose
