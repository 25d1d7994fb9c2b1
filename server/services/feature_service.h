#pragma once

#include "server/runtime/device_executor.h"
#include "server/runtime/memory_budget.h"
#include "server/runtime/model_registry.h"
#include "server/runtime/worker.h"
#include "server/services/limits.h"
#include "server/telemetry/metrics.h"
#include "superpose/v1/feature_service.grpc.pb.h"

namespace superpose {

// Feature activations. Queries are prepared on `worker` and computed by `executor`, a stream's part by part.
class FeatureServiceImpl final : public v1::FeatureService::CallbackService {
 public:
  FeatureServiceImpl(const ModelRegistry* registry, MemoryBudget* budget, DeviceExecutor* executor, Worker* worker,
                     const Limits& limits, Metrics* metrics)
      : registry_(registry),
        budget_(budget),
        executor_(executor),
        worker_(worker),
        limits_(limits),
        metrics_(metrics) {}

  grpc::ServerUnaryReactor* GetActivations(grpc::CallbackServerContext* context,
                                           const v1::GetActivationsRequest* request,
                                           v1::GetActivationsResponse* response) override;
  grpc::ServerWriteReactor<v1::StreamActivationsResponse>* StreamActivations(
      grpc::CallbackServerContext* context, const v1::StreamActivationsRequest* request) override;

 private:
  const ModelRegistry* const registry_;
  MemoryBudget* const budget_;
  DeviceExecutor* const executor_;
  Worker* const worker_;
  const Limits limits_;
  Metrics* const metrics_;
};

}  // namespace superpose
