#pragma once

#include "server/jobs/job_manager.h"
#include "server/jobs/midcoder_store.h"
#include "server/runtime/model_registry.h"
#include "server/runtime/worker.h"
#include "server/telemetry/metrics.h"
#include "superpose/v1/midcoder_service.grpc.pb.h"

namespace superpose {

// Trains, evaluates and keeps midcoders: specs are checked here, the work itself is the queue's. Runs on `worker`.
class MidcoderServiceImpl final : public v1::MidcoderService::CallbackService {
 public:
  MidcoderServiceImpl(const ModelRegistry* registry, JobManager* jobs, MidcoderStore* midcoders, Worker* worker,
                      Metrics* metrics)
      : registry_(registry), jobs_(jobs), midcoders_(midcoders), worker_(worker), metrics_(metrics) {}

  grpc::ServerUnaryReactor* TrainMidcoder(grpc::CallbackServerContext* context, const v1::TrainMidcoderRequest* request,
                                          v1::TrainMidcoderResponse* response) override;
  grpc::ServerUnaryReactor* EvaluateMidcoder(grpc::CallbackServerContext* context,
                                             const v1::EvaluateMidcoderRequest* request,
                                             v1::EvaluateMidcoderResponse* response) override;
  grpc::ServerUnaryReactor* ListMidcoders(grpc::CallbackServerContext* context, const v1::ListMidcodersRequest* request,
                                          v1::ListMidcodersResponse* response) override;
  grpc::ServerUnaryReactor* GetMidcoder(grpc::CallbackServerContext* context, const v1::GetMidcoderRequest* request,
                                        v1::GetMidcoderResponse* response) override;
  grpc::ServerUnaryReactor* DeleteMidcoder(grpc::CallbackServerContext* context,
                                           const v1::DeleteMidcoderRequest* request,
                                           v1::DeleteMidcoderResponse* response) override;
  grpc::ServerUnaryReactor* GetMidcoderHistory(grpc::CallbackServerContext* context,
                                               const v1::GetMidcoderHistoryRequest* request,
                                               v1::GetMidcoderHistoryResponse* response) override;

 private:
  const ModelRegistry* const registry_;
  JobManager* const jobs_;
  MidcoderStore* const midcoders_;
  Worker* const worker_;
  Metrics* const metrics_;
};

}  // namespace superpose
