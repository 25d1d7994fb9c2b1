#include "server/services/activation_stream.h"

#include <algorithm>
#include <utility>

#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "lib/base/torch_guard.h"
#include "server/runtime/reasons.h"
#include "server/services/grpc_status.h"

namespace superpose {

ActivationStream::ActivationStream(grpc::CallbackServerContext* context, Metrics* metrics, MemoryBudget* budget,
                                   DeviceExecutor* executor, const Limits& limits)
    : context_(context),
      metrics_(metrics),
      budget_(budget),
      executor_(executor),
      limits_(limits),
      deadline_(absl::FromChrono(context->deadline())),
      record_(metrics, "StreamActivations", UserOf(*context)) {}

void ActivationStream::Start(absl::StatusOr<ActivationQuery> query) {
  if (!query.ok()) {
    End(query.status());
    return;
  }
  absl::StatusOr<MemoryReservation> tokens = query->ReserveTokens(budget_);
  if (!tokens.ok()) {
    End(tokens.status());
    return;
  }
  tokens_ = *std::move(tokens);
  query_ = *std::move(query);
  SubmitPart(/*continues=*/false);
}

void ActivationStream::SubmitPart(bool continues) {
  DeviceRequest request;
  request.deadline = deadline_;
  request.is_cancelled = [this] { return context_->IsCancelled(); };
  request.continues = continues;
  request.share = share_;
  request.run = [this](const absl::Status& admitted) {
    if (admitted.ok()) {
      ComputePart();
    } else {
      End(admitted);
    }
  };
  absl::Status submitted = executor_->Submit(std::move(request));
  if (!submitted.ok()) End(submitted);
}

absl::StatusOr<v1::Activations> ActivationStream::ComputeSequences(int64_t begin, int64_t end) {
  SUPERPOSE_ASSIGN_OR_RETURN(memory_, query_->Reserve(budget_, begin, end));
  return query_->Compute(begin, end);
}

void ActivationStream::ComputePart() {
  const int64_t begin = next_sequence_;
  next_sequence_ = query_->PartEnd(begin, std::min(kPartTokens, limits_.max_unary_tokens));
  absl::StatusOr<v1::Activations> activations = CatchTorch([&] { return ComputeSequences(begin, next_sequence_); });
  share_->EndPart(executor_->Now());
  if (!activations.ok()) {
    End(activations.status());
    return;
  }
  metrics_->AddTokens("activations", static_cast<double>(activations->tokens().token_ids_size()));
  part_.set_first_sequence(begin);
  *part_.mutable_activations() = *std::move(activations);
  if (static_cast<int64_t>(part_.ByteSizeLong()) > limits_.max_message_bytes) {
    End(ResourceExhausted(reason::kRequestTooLarge, "the activations of sequence ", begin, " have ",
                          part_.ByteSizeLong(), " bytes, over ", limits_.max_message_bytes,
                          ": ask for fewer layers, or use top_k"));
    return;
  }
  memory_.ShrinkTo(2 * static_cast<int64_t>(part_.ByteSizeLong()));
  StartWrite(&part_);
}

void ActivationStream::OnWriteDone(bool ok) {
  if (!ok) {
    End(absl::CancelledError("the reader went away"));
  } else if (next_sequence_ == query_->sequences()) {
    End(absl::OkStatus());
  } else {
    SubmitPart(/*continues=*/true);
  }
}

void ActivationStream::End(const absl::Status& status) {
  Report(*share_, context_);
  record_.End(status);
  Finish(ToGrpcStatus(status));
}

}  // namespace superpose
