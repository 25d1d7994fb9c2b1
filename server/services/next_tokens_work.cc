#include "server/services/next_tokens_work.h"

#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "server/runtime/descriptors.h"
#include "server/runtime/reasons.h"

namespace superpose {
namespace {

// Id, log-probability and text of a token.
constexpr int64_t kBytesOfEntry = 16;

}  // namespace

absl::StatusOr<NextTokensWork> NextTokensWork::Prepare(const ModelRegistry& registry,
                                                       const v1::PredictNextTokensRequest& request,
                                                       const Limits& limits) {
  SUPERPOSE_ASSIGN_OR_RETURN(PromptInput input, ReadPrompt(registry, request.prompt(), limits));
  NextTokensWork work(std::move(input), limits);
  SUPERPOSE_ASSIGN_OR_RETURN(work.query_.top_k, TopK(request.has_top_k(), request.top_k()));
  work.query_.token_ids.assign(request.token_ids().begin(), request.token_ids().end());
  work.query_.all_positions = request.all_positions();
  SUPERPOSE_RETURN_IF_ERROR(work.CheckTokenIds());
  SUPERPOSE_RETURN_IF_ERROR(work.CheckSize());
  return work;
}

absl::Status NextTokensWork::CheckTokenIds() const {
  const int64_t vocabulary = model_->model->config().vocab_size;
  for (const int32_t id : query_.token_ids) {
    if (id >= 0 && id < vocabulary) continue;
    return InvalidArgument(reason::kTokenOutOfRange, "token_ids: ", id, " is not in 0 .. ", vocabulary - 1);
  }
  if (query_.top_k > 0 || !query_.token_ids.empty()) return absl::OkStatus();
  return InvalidArgument(reason::kConfigInvalid, "top_k is 0 and token_ids is empty: ask for one token or more");
}

absl::Status NextTokensWork::CheckSize() const {
  const auto sequences = static_cast<int64_t>(parts_.all().size());
  const int64_t positions = query_.all_positions ? tokens() : sequences;
  const int64_t entries = positions * (query_.top_k + static_cast<int64_t>(query_.token_ids.size()));
  const int64_t most = limits_.max_message_bytes / kBytesOfEntry;
  if (entries <= most) return absl::OkStatus();
  return ResourceExhausted(reason::kRequestTooLarge, "the answer would have ", entries, " log-probabilities, over ",
                           most, ": ask for fewer tokens or positions at a time");
}

absl::StatusOr<bool> NextTokensWork::RunPart(v1::PredictNextTokensResponse* response) {
  const int64_t first_sequence = parts_.next();
  SUPERPOSE_ASSIGN_OR_RETURN(const auto predictions, ComputeNextTokens(*model_->model, query_, parts_.Take()));
  for (const NextTokensPrediction& prediction : predictions) {
    v1::NextTokens* next = response->add_predictions();
    next->set_sequence(static_cast<int32_t>(first_sequence + prediction.sequence));
    next->set_position(static_cast<int32_t>(prediction.position));
    next->mutable_token_ids()->Add(prediction.token_ids.begin(), prediction.token_ids.end());
    next->mutable_log_probabilities()->Add(prediction.log_probabilities.begin(), prediction.log_probabilities.end());
    if (model_->tokenizer == nullptr) continue;
    for (const int32_t id : prediction.token_ids) next->add_tokens(TextOf(*model_, id));
  }
  if (parts_.done()) {
    *response->mutable_tokens() = BatchOf(parts_.all());
    *response->mutable_provenance() = DescribeProvenance(*model_);
  }
  SUPERPOSE_RETURN_IF_ERROR(CheckAnswerSize(response->ByteSizeLong(), limits_));
  return parts_.done();
}

}  // namespace superpose
