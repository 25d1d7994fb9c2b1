#pragma once

#include "server/jobs/midcoder_store.h"
#include "server/runtime/device_executor.h"
#include "server/runtime/memory_budget.h"
#include "server/runtime/model_registry.h"
#include "server/runtime/worker.h"
#include "server/services/limits.h"
#include "server/services/midcoder_cache.h"
#include "server/telemetry/metrics.h"
#include "superpose/v1/prompt_service.grpc.pb.h"

namespace superpose {

// What happens at a prompt. Requests are prepared on `request_worker`, or where a midcoder has to be read on
// `storage_worker`, and computed by `executor`, part by part.
class PromptServiceImpl final : public v1::PromptService::CallbackService {
 public:
  PromptServiceImpl(const ModelRegistry* registry, MidcoderStore* midcoders, MemoryBudget* budget,
                    DeviceExecutor* executor, Worker* request_worker, Worker* storage_worker, const Limits& limits,
                    Metrics* metrics)
      : registry_(registry),
        budget_(budget),
        midcoders_(midcoders, budget),
        executor_(executor),
        request_worker_(request_worker),
        storage_worker_(storage_worker),
        limits_(limits),
        metrics_(metrics) {}

  grpc::ServerWriteReactor<v1::GetMlpTensorsResponse>* GetMlpTensors(grpc::CallbackServerContext* context,
                                                                     const v1::GetMlpTensorsRequest* request) override;
  grpc::ServerUnaryReactor* PredictNextTokens(grpc::CallbackServerContext* context,
                                              const v1::PredictNextTokensRequest* request,
                                              v1::PredictNextTokensResponse* response) override;
  grpc::ServerUnaryReactor* Intervene(grpc::CallbackServerContext* context, const v1::InterveneRequest* request,
                                      v1::InterveneResponse* response) override;

 private:
  const ModelRegistry* const registry_;
  MemoryBudget* const budget_;
  MidcoderCache midcoders_;
  DeviceExecutor* const executor_;
  Worker* const request_worker_;
  Worker* const storage_worker_;
  const Limits limits_;
  Metrics* const metrics_;
};

}  // namespace superpose
