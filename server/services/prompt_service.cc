#include "server/services/prompt_service.h"

#include <memory>
#include <utility>

#include "server/services/call.h"
#include "server/services/device_parts.h"
#include "server/services/intervention_work.h"
#include "server/services/mlp_tensors_stream.h"
#include "server/services/mlp_tensors_work.h"
#include "server/services/next_tokens_work.h"

namespace superpose {
namespace {

// Lets the device fill in `response`, part by part, and ends the call.
template <typename Work, typename Response>
void Answer(DeviceExecutor* executor, Metrics* metrics, const std::shared_ptr<UnaryCall>& call,
            absl::StatusOr<Work> prepared, Response* response) {
  if (!prepared.ok()) {
    call->Finish(prepared.status());
    return;
  }
  auto work = std::make_shared<Work>(*std::move(prepared));
  PartedRequest request;
  request.run_part = [work, response] { return work->RunPart(response); };
  request.finish = [call, work, metrics, share = request.share](const absl::Status& status) {
    if (status.ok()) metrics->AddTokens("prompt", static_cast<double>(work->tokens()));
    call->Report(*share);
    call->Finish(status);
  };
  request.deadline = call->deadline();
  request.is_cancelled = [call] { return call->IsCancelled(); };
  RunInParts(executor, std::move(request));
}

}  // namespace

grpc::ServerWriteReactor<v1::GetMlpTensorsResponse>* PromptServiceImpl::GetMlpTensors(
    grpc::CallbackServerContext* context, const v1::GetMlpTensorsRequest* request) {
  auto* stream = new MlpTensorsStream(context, metrics_, executor_, request_worker_);
  Worker* worker = request->midcoder().empty() ? request_worker_ : storage_worker_;
  StartStream(*metrics_, worker, stream, [this, request] {
    return MlpTensorsWork::Prepare(*registry_, {&midcoders_, budget_}, *request, limits_);
  });
  return stream;
}

grpc::ServerUnaryReactor* PromptServiceImpl::PredictNextTokens(grpc::CallbackServerContext* context,
                                                               const v1::PredictNextTokensRequest* request,
                                                               v1::PredictNextTokensResponse* response) {
  auto call = std::make_shared<UnaryCall>(context, metrics_, "PredictNextTokens");
  StartOnWorker(call, request_worker_, [this, call, request, response] {
    Answer(executor_, metrics_, call, NextTokensWork::Prepare(*registry_, *request, limits_), response);
    return absl::OkStatus();
  });
  return call->reactor();
}

grpc::ServerUnaryReactor* PromptServiceImpl::Intervene(grpc::CallbackServerContext* context,
                                                       const v1::InterveneRequest* request,
                                                       v1::InterveneResponse* response) {
  auto call = std::make_shared<UnaryCall>(context, metrics_, "Intervene");
  StartOnWorker(call, request_worker_, [this, call, request, response] {
    Answer(executor_, metrics_, call, InterventionWork::Prepare(*registry_, *request, limits_), response);
    return absl::OkStatus();
  });
  return call->reactor();
}

}  // namespace superpose
