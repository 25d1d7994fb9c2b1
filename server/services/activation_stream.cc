#include "server/services/activation_stream.h"

#include <algorithm>
#include <utility>

#include "lib/base/error.h"
#include "server/runtime/reasons.h"
#include "server/services/grpc_status.h"

namespace superpose {
namespace {

// Tokens of a part: so few that other requests need not wait long, so many that the device works well.
constexpr int64_t kPartTokens = 1024;

}  // namespace

ActivationStream::ActivationStream(grpc::CallbackServerContext* context, Metrics* metrics, DeviceExecutor* executor,
                                   const Limits& limits)
    : context_(context),
      metrics_(metrics),
      executor_(executor),
      limits_(limits),
      deadline_(absl::FromChrono(context->deadline())),
      record_(metrics, "StreamActivations", UserOf(*context)) {}

void ActivationStream::Start(absl::StatusOr<ActivationQuery> query) {
  if (!query.ok()) {
    End(query.status());
    return;
  }
  query_ = *std::move(query);
  SubmitPart(/*continues=*/false);
}

void ActivationStream::SubmitPart(bool continues) {
  DeviceRequest request;
  request.deadline = deadline_;
  request.is_cancelled = [this] { return context_->IsCancelled(); };
  request.continues = continues;
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

void ActivationStream::ComputePart() {
  const int64_t begin = next_sequence_;
  next_sequence_ = query_->PartEnd(begin, std::min(kPartTokens, limits_.max_unary_tokens));
  absl::StatusOr<v1::Activations> activations = query_->Compute(begin, next_sequence_);
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
  record_.End(status);
  Finish(ToGrpcStatus(status));
}

}  // namespace superpose
