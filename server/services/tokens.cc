#include "server/services/tokens.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "server/runtime/reasons.h"

namespace superpose {

namespace {

// Of each text in a message.
constexpr int64_t kBytesAroundText = 2;

}  // namespace

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

absl::StatusOr<std::vector<std::string>> TokenTexts(const LoadedModel& model, const TokenSequence& tokens,
                                                    int64_t most_bytes) {
  std::vector<std::string> texts;
  if (model.tokenizer == nullptr) return texts;
  int64_t bytes = 0;
  for (int32_t id : tokens) {
    SUPERPOSE_ASSIGN_OR_RETURN(std::string text, model.tokenizer->TokenText(id));
    bytes += static_cast<int64_t>(text.size()) + kBytesAroundText;
    if (bytes > most_bytes) {
      return ResourceExhausted(reason::kRequestTooLarge, "the texts of ", tokens.size(), " tokens have over ",
                               most_bytes, " bytes: ask for less at a time");
    }
    texts.push_back(std::move(text));
  }
  return texts;
}

namespace {

// Fewer tokens no text of so many bytes has.
int64_t FewestTokens(const LoadedModel& model, int64_t bytes) {
  if (model.tokenizer == nullptr) return 0;
  return bytes / std::max<int64_t>(model.tokenizer->longest_token_bytes(), 1);
}

absl::Status CheckTextSizes(const LoadedModel& model, const v1::TextBatch& batch, int64_t most_tokens) {
  const int64_t context = model.model->config().n_positions;
  int64_t bytes = 0;
  for (int i = 0; i < batch.texts_size(); ++i) {
    const auto size = static_cast<int64_t>(batch.texts(i).size());
    bytes += size;
    if (FewestTokens(model, size) <= context) continue;
    return InvalidArgument(reason::kContextExceeded, "text ", i, " has ", size, " bytes, which are more than ", context,
                           " tokens, the context of ", model.name);
  }
  if (FewestTokens(model, bytes) <= most_tokens) return absl::OkStatus();
  return ResourceExhausted(reason::kRequestTooLarge, "the texts have ", bytes, " bytes, which are more than ",
                           most_tokens, " tokens, the most that a request of this kind takes");
}

}  // namespace

absl::StatusOr<std::vector<TokenSequence>> SequencesOf(const LoadedModel& model, const v1::TextBatch& batch,
                                                       int64_t most_tokens) {
  SUPERPOSE_RETURN_IF_ERROR(CheckTextSizes(model, batch, most_tokens));
  const TokenizeOptions options{.prepend_bos = !batch.has_prepend_bos() || batch.prepend_bos(),
                                .parse_special = !batch.has_parse_special() || batch.parse_special()};
  std::vector<TokenSequence> sequences;
  for (const std::string& text : batch.texts()) {
    if (text.empty()) return InvalidArgument(reason::kEmptyInput, "text ", sequences.size(), " is empty");
    auto tokens = TokenizeText(model, text, options);
    if (!tokens.ok()) return WithContext(tokens.status(), absl::StrCat("text ", sequences.size()));
    sequences.push_back(*std::move(tokens));
  }
  return sequences;
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

int64_t CountTokens(const std::vector<TokenSequence>& sequences) {
  int64_t tokens = 0;
  for (const TokenSequence& sequence : sequences) tokens += static_cast<int64_t>(sequence.size());
  return tokens;
}

int64_t PartEnd(const std::vector<TokenSequence>& sequences, int64_t begin, int64_t most_tokens) {
  int64_t end = begin;
  int64_t tokens = 0;
  while (end < static_cast<int64_t>(sequences.size())) {
    tokens += static_cast<int64_t>(sequences[end].size());
    if (end > begin && tokens > most_tokens) break;
    ++end;
  }
  return end;
}

}  // namespace superpose
