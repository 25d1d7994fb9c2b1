#include "server/services/feature_service.h"

#include <memory>
#include <utility>

#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "server/runtime/reasons.h"
#include "server/services/activation_query.h"
#include "server/services/activation_stream.h"
#include "server/services/activations_work.h"
#include "server/services/call.h"
#include "server/services/device_parts.h"

namespace superpose {
namespace {

absl::Status CheckSize(int64_t tokens, const Limits& limits) {
  if (tokens <= limits.max_unary_tokens) return absl::OkStatus();
  return ResourceExhausted(reason::kRequestTooLarge, "the request has ", tokens, " tokens; GetActivations takes up to ",
                           limits.max_unary_tokens, ": use StreamActivations");
}

}  // namespace

grpc::ServerUnaryReactor* FeatureServiceImpl::GetActivations(grpc::CallbackServerContext* context,
                                                             const v1::GetActivationsRequest* request,
                                                             v1::GetActivationsResponse* response) {
  auto call = std::make_shared<UnaryCall>(context, metrics_, "GetActivations");
  StartOnWorker(call, worker_, [this, call, request, response]() -> absl::Status {
    SUPERPOSE_ASSIGN_OR_RETURN(ActivationQuery query,
                               ActivationQuery::Prepare(*registry_, request->query(), limits_.max_unary_tokens));
    SUPERPOSE_RETURN_IF_ERROR(CheckSize(query.tokens(), limits_));
    SUPERPOSE_RETURN_IF_ERROR(query.CheckCanEverFit(*budget_, 0, query.sequences()));
    auto work = std::make_shared<ActivationsWork>(std::move(query), budget_, limits_);
    PartedRequest parts;
    parts.run_part = [work, response] { return work->RunPart(response); };
    parts.work = work;
    parts.finish = [this, call, work, share = parts.share](const absl::Status& status) {
      if (status.ok()) metrics_->AddTokens("activations", static_cast<double>(work->tokens()));
      call->Report(*share);
      call->Finish(status);
    };
    parts.deadline = call->deadline();
    parts.is_cancelled = [call] { return call->IsCancelled(); };
    RunInParts(executor_, std::move(parts));
    return absl::OkStatus();
  });
  return call->reactor();
}

grpc::ServerWriteReactor<v1::StreamActivationsResponse>* FeatureServiceImpl::StreamActivations(
    grpc::CallbackServerContext* context, const v1::StreamActivationsRequest* request) {
  auto* stream = new ActivationStream(context, metrics_, budget_, executor_, limits_);
  StartStream(*metrics_, worker_, stream,
              [this, request] { return ActivationQuery::Prepare(*registry_, request->query()); });
  return stream;
}

}  // namespace superpose
