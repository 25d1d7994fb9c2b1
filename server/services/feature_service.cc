#include "server/services/feature_service.h"

#include <memory>
#include <utility>

#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "server/runtime/reasons.h"
#include "server/services/activation_query.h"
#include "server/services/activation_stream.h"
#include "server/services/call.h"

namespace superpose {
namespace {

absl::Status CheckSize(int64_t tokens, const Limits& limits) {
  if (tokens <= limits.max_unary_tokens) return absl::OkStatus();
  return ResourceExhausted(reason::kRequestTooLarge, "the request has ", tokens, " tokens; GetActivations takes up to ",
                           limits.max_unary_tokens, ": use StreamActivations");
}

absl::Status CheckSize(const v1::GetActivationsResponse& response, const Limits& limits) {
  const auto bytes = static_cast<int64_t>(response.ByteSizeLong());
  if (bytes <= limits.max_message_bytes) return absl::OkStatus();
  return ResourceExhausted(reason::kRequestTooLarge, "the answer has ", bytes, " bytes, over ",
                           limits.max_message_bytes, ": use StreamActivations, or top_k");
}

}  // namespace

grpc::ServerUnaryReactor* FeatureServiceImpl::GetActivations(grpc::CallbackServerContext* context,
                                                             const v1::GetActivationsRequest* request,
                                                             v1::GetActivationsResponse* response) {
  auto call = std::make_shared<UnaryCall>(context, metrics_, "GetActivations");
  auto compute = [this, response](const ActivationQuery& query) -> absl::Status {
    SUPERPOSE_ASSIGN_OR_RETURN(*response->mutable_activations(), query.Compute(0, query.sequences()));
    metrics_->AddTokens("activations", static_cast<double>(query.tokens()));
    return CheckSize(*response, limits_);
  };
  auto submit = [this, request, call, compute]() -> absl::Status {
    SUPERPOSE_ASSIGN_OR_RETURN(ActivationQuery query, ActivationQuery::Prepare(*registry_, request->query()));
    SUPERPOSE_RETURN_IF_ERROR(CheckSize(query.tokens(), limits_));
    DeviceRequest work;
    work.deadline = call->deadline();
    work.is_cancelled = [call] { return call->IsCancelled(); };
    work.run = [call, compute, query = std::move(query)](const absl::Status& admitted) {
      call->Finish(admitted.ok() ? compute(query) : admitted);
    };
    return executor_->Submit(std::move(work));
  };
  worker_->Post([call, submit = std::move(submit)] {
    absl::Status submitted = submit();
    if (!submitted.ok()) call->Finish(submitted);
  });
  return call->reactor();
}

grpc::ServerWriteReactor<v1::StreamActivationsResponse>* FeatureServiceImpl::StreamActivations(
    grpc::CallbackServerContext* context, const v1::StreamActivationsRequest* request) {
  auto* stream = new ActivationStream(context, metrics_, executor_, limits_);
  worker_->Post([this, stream, request] { stream->Start(ActivationQuery::Prepare(*registry_, request->query())); });
  return stream;
}

}  // namespace superpose
