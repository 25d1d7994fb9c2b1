// Reads the corpora that a config entry or a call names.
#pragma once

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "lib/corpus/corpus_files.h"
#include "server/runtime/memory_budget.h"
#include "server/runtime/model_registry.h"

namespace superpose {

// What token ids mean to a model.
Vocabulary VocabularyOf(const LoadedModel& model);

// A corpus for `model`, all but its name and origin. The tokens of text are kept in memory (token files are mapped):
// reserved while they become more, and given back when the last that holds the corpus lets go. `budget` may be null:
// without limit. Errors: those of Corpus::Load, MEMORY_EXCEEDED.
absl::StatusOr<LoadedCorpus> LoadCorpusFiles(CorpusFiles files, const LoadedModel& model, MemoryBudget* budget);

// FAILED_PRECONDITION / INPUT_CHANGED when the corpus was made for another vocabulary, of a model that had this one's
// name before.
absl::Status CheckVocabulary(const LoadedCorpus& corpus, const LoadedModel& model);

}  // namespace superpose
