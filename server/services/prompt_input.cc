#include "server/services/prompt_input.h"

#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "server/runtime/reasons.h"

namespace superpose {
namespace {

constexpr int64_t kStandardTopK = 10;
constexpr int64_t kMostTopK = 1000;

absl::StatusOr<std::vector<TokenSequence>> ReadSequences(const LoadedModel& model, const v1::Prompt& prompt,
                                                         const Limits& limits) {
  if (prompt.has_texts()) return SequencesOf(model, prompt.texts(), limits.max_unary_tokens);
  return SequencesOf(prompt.tokens());
}

}  // namespace

absl::StatusOr<PromptInput> ReadPrompt(const ModelRegistry& registry, const v1::Prompt& prompt, const Limits& limits) {
  PromptInput input;
  SUPERPOSE_ASSIGN_OR_RETURN(input.model, registry.FindModel(prompt.model()));
  if (!prompt.has_texts() && !prompt.has_tokens())
    return InvalidArgument(reason::kEmptyInput, "the prompt is empty: give texts or tokens");
  SUPERPOSE_ASSIGN_OR_RETURN(input.sequences, ReadSequences(*input.model, prompt, limits));
  SUPERPOSE_RETURN_IF_ERROR(CheckSequences(*input.model->model, input.sequences));
  const int64_t tokens = CountTokens(input.sequences);
  if (tokens <= limits.max_unary_tokens) return input;
  return ResourceExhausted(reason::kRequestTooLarge, "the prompt has ", tokens, " tokens; a request takes up to ",
                           limits.max_unary_tokens, ": make several requests of it");
}

absl::StatusOr<TranscoderHandle> FindTranscoderOf(const ModelRegistry& registry, const LoadedModel& model,
                                                  const std::string& selector) {
  SUPERPOSE_ASSIGN_OR_RETURN(ModelAndTranscoder found, registry.FindTranscoderWithModel(selector));
  if (found.model->name != model.name) {
    return InvalidArgument(reason::kConfigInvalid, "transcoder ", selector, " is of ", found.model->name,
                           ", but the prompt is for ", model.name);
  }
  if (found.model->model == model.model) return std::move(found.transcoder);
  return FailedPrecondition(reason::kInputChanged, model.name,
                            " was loaded anew while this request was read: send it again");
}

absl::StatusOr<int64_t> TopK(bool has, int64_t given) {
  if (!has) return kStandardTopK;
  if (given >= 0 && given <= kMostTopK) return given;
  return InvalidArgument(reason::kConfigInvalid, "top_k is ", given, ": it must be in 0 .. ", kMostTopK);
}

absl::Status CheckAnswerSize(size_t bytes, const Limits& limits) {
  if (static_cast<int64_t>(bytes) <= limits.max_message_bytes) return absl::OkStatus();
  return ResourceExhausted(reason::kRequestTooLarge, "the answer has over ", limits.max_message_bytes,
                           " bytes: ask for fewer tokens, positions or sequences at a time");
}

std::string TextOf(const LoadedModel& model, int32_t token_id) {
  if (model.tokenizer == nullptr) return "";
  return model.tokenizer->TokenText(token_id).value_or("");
}

std::vector<TokenSequence> SequenceParts::Take() {
  const int64_t end = PartEnd(sequences_, next_, kPartTokens);
  std::vector<TokenSequence> part(sequences_.begin() + next_, sequences_.begin() + end);
  next_ = end;
  return part;
}

}  // namespace superpose
