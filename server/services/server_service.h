#pragma once

#include <utility>

#include "server/runtime/memory_budget.h"
#include "server/telemetry/metrics.h"
#include "superpose/v1/server_service.grpc.pb.h"

namespace superpose {

// Says what this server is.
class ServerServiceImpl final : public v1::ServerService::CallbackService {
 public:
  // `info` is what GetServerInfo answers, but for the memory.
  ServerServiceImpl(v1::GetServerInfoResponse info, const MemoryBudget* budget, Metrics* metrics)
      : info_(std::move(info)), budget_(budget), metrics_(metrics) {}

  grpc::ServerUnaryReactor* GetServerInfo(grpc::CallbackServerContext* context, const v1::GetServerInfoRequest* request,
                                          v1::GetServerInfoResponse* response) override;

 private:
  const v1::GetServerInfoResponse info_;
  const MemoryBudget* const budget_;
  Metrics* const metrics_;
};

}  // namespace superpose
