#include "server/services/tokens.h"

#include "lib/base/error.h"
#include "lib/base/status_macros.h"

namespace superpose {

absl::StatusOr<TokenSequence> TokenizeText(const LoadedModel& model, const std::string& text,
                                           const TokenizeOptions& options) {
  if (model.tokenizer == nullptr) {
    return FailedPrecondition(reason::kTokenizerMissing, model.name, " has no tokenizer: give token ids");
  }
  SUPERPOSE_ASSIGN_OR_RETURN(TokenSequence tokens, model.tokenizer->Encode(text, options.parse_special));
  int32_t bos = static_cast<int32_t>(model.model->config().bos_token_id);
  bool has_bos = !tokens.empty() && tokens.front() == bos;
  if (options.prepend_bos && !has_bos) tokens.insert(tokens.begin(), bos);
  return tokens;
}

absl::StatusOr<std::vector<std::string>> TokenTexts(const LoadedModel& model, const TokenSequence& tokens) {
  std::vector<std::string> texts;
  if (model.tokenizer == nullptr) return texts;
  for (int32_t id : tokens) {
    SUPERPOSE_ASSIGN_OR_RETURN(std::string text, model.tokenizer->TokenText(id));
    texts.push_back(std::move(text));
  }
  return texts;
}

absl::StatusOr<std::vector<TokenSequence>> SequencesOf(const v1::TokenBatch& batch) {
  std::vector<TokenSequence> sequences;
  int64_t next = 0;
  for (int32_t length : batch.lengths()) {
    if (length < 0 || next + length > batch.token_ids_size()) {
      return InvalidArgument(reason::kConfigInvalid, "tokens.lengths must be 0 or more and add up to the ",
                             batch.token_ids_size(), " token_ids");
    }
    sequences.emplace_back(batch.token_ids().begin() + next, batch.token_ids().begin() + next + length);
    next += length;
  }
  if (next != batch.token_ids_size()) {
    return InvalidArgument(reason::kConfigInvalid, "tokens.lengths add up to ", next, " but there are ",
                           batch.token_ids_size(), " token_ids");
  }
  return sequences;
}

v1::TokenBatch BatchOf(const std::vector<TokenSequence>& sequences) {
  v1::TokenBatch batch;
  for (const TokenSequence& sequence : sequences) {
    batch.add_lengths(static_cast<int32_t>(sequence.size()));
    batch.mutable_token_ids()->Add(sequence.begin(), sequence.end());
  }
  return batch;
}

}  // namespace superpose
