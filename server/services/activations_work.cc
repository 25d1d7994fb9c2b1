#include "server/services/activations_work.h"

#include <ATen/ATen.h>

#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "lib/base/torch_guard.h"
#include "server/runtime/reasons.h"

namespace superpose {
namespace {

// As a message and on its way.
constexpr int64_t kCopiesOfAnswer = 2;

}  // namespace

ActivationsWork::ActivationsWork(ActivationQuery query, MemoryBudget* budget, const Limits& limits)
    : query_(std::move(query)), budget_(budget), limits_(limits), batch_item_(query_.AsBatchItem()) {
  if (query_.PartEnd(0, kPartTokens) < query_.sequences()) batch_item_.key.clear();
}

absl::Status ActivationsWork::RunTogether(absl::Span<BatchableWork* const> works) {
  std::vector<ActivationsWork*> all;
  std::vector<const ActivationQuery*> queries;
  for (BatchableWork* work : works) {
    all.push_back(static_cast<ActivationsWork*>(work));  // what has one of our keys
    queries.push_back(&all.back()->query_);
  }
  SUPERPOSE_ASSIGN_OR_RETURN(std::vector<ActivationQuery::Computed> computed, CatchTorch([&] {
                               return ActivationQuery::ComputeTogether(queries, all.front()->budget_);
                             }));
  for (size_t i = 0; i < all.size(); ++i) {
    all[i]->memory_ = std::move(computed[i].memory);
    all[i]->next_sequence_ = all[i]->query_.sequences();
    for (SparseActivations& layer : computed[i].layers) all[i]->layers_.push_back({std::move(layer)});
  }
  return absl::OkStatus();
}

absl::StatusOr<bool> ActivationsWork::RunPart(v1::GetActivationsResponse* response) {
  if (next_sequence_ < query_.sequences()) SUPERPOSE_RETURN_IF_ERROR(ComputePart());
  if (next_sequence_ < query_.sequences()) return false;
  SUPERPOSE_RETURN_IF_ERROR(Answer(response));
  layers_.clear();
  memory_.ShrinkTo(kCopiesOfAnswer * static_cast<int64_t>(response->ByteSizeLong()));
  return true;
}

absl::Status ActivationsWork::ComputePart() {
  const int64_t begin = next_sequence_;
  if (begin == 0) {
    SUPERPOSE_ASSIGN_OR_RETURN(memory_, query_.Reserve(budget_, 0, query_.sequences()));
  }
  next_sequence_ = query_.PartEnd(begin, kPartTokens);
  SUPERPOSE_ASSIGN_OR_RETURN(std::vector<SparseActivations> computed, query_.ComputeLayers(begin, next_sequence_));
  layers_.resize(computed.size());
  for (size_t layer = 0; layer < computed.size(); ++layer) layers_[layer].push_back(std::move(computed[layer]));
  return absl::OkStatus();
}

absl::Status ActivationsWork::Answer(v1::GetActivationsResponse* response) const {
  std::vector<SparseActivations> whole;
  SUPERPOSE_RETURN_IF_ERROR(CatchTorch([&] {
    for (const std::vector<SparseActivations>& parts : layers_) whole.push_back(ConcatenateRows(parts));
    return absl::OkStatus();
  }));
  SUPERPOSE_ASSIGN_OR_RETURN(*response->mutable_activations(), query_.Describe(0, query_.sequences(), whole));
  const auto bytes = static_cast<int64_t>(response->ByteSizeLong());
  if (bytes <= limits_.max_message_bytes) return absl::OkStatus();
  return ResourceExhausted(reason::kRequestTooLarge, "the answer has ", bytes, " bytes, over ",
                           limits_.max_message_bytes, ": use StreamActivations, or top_k");
}

}  // namespace superpose
