#pragma once

#include "server/runtime/model_registry.h"
#include "server/runtime/worker.h"
#include "server/services/model_loading.h"
#include "server/telemetry/metrics.h"
#include "superpose/v1/model_service.grpc.pb.h"

namespace superpose {

// The models and transcoders held, and their tokenizers. Runs on `worker`, but for what `loading` does,
// which begins there.
class ModelServiceImpl final : public v1::ModelService::CallbackService {
 public:
  ModelServiceImpl(const ModelRegistry* registry, ModelLoading* loading, Worker* worker, Metrics* metrics)
      : registry_(registry), loading_(loading), worker_(worker), metrics_(metrics) {}

  grpc::ServerUnaryReactor* ListModels(grpc::CallbackServerContext* context, const v1::ListModelsRequest* request,
                                       v1::ListModelsResponse* response) override;
  grpc::ServerUnaryReactor* GetModel(grpc::CallbackServerContext* context, const v1::GetModelRequest* request,
                                     v1::GetModelResponse* response) override;
  grpc::ServerUnaryReactor* Tokenize(grpc::CallbackServerContext* context, const v1::TokenizeRequest* request,
                                     v1::TokenizeResponse* response) override;
  grpc::ServerUnaryReactor* Detokenize(grpc::CallbackServerContext* context, const v1::DetokenizeRequest* request,
                                       v1::DetokenizeResponse* response) override;
  grpc::ServerUnaryReactor* LoadModel(grpc::CallbackServerContext* context, const v1::LoadModelRequest* request,
                                      v1::LoadModelResponse* response) override;
  grpc::ServerUnaryReactor* UnloadModel(grpc::CallbackServerContext* context, const v1::UnloadModelRequest* request,
                                        v1::UnloadModelResponse* response) override;
  grpc::ServerUnaryReactor* LoadTranscoder(grpc::CallbackServerContext* context,
                                           const v1::LoadTranscoderRequest* request,
                                           v1::LoadTranscoderResponse* response) override;
  grpc::ServerUnaryReactor* UnloadTranscoder(grpc::CallbackServerContext* context,
                                             const v1::UnloadTranscoderRequest* request,
                                             v1::UnloadTranscoderResponse* response) override;

 private:
  const ModelRegistry* const registry_;
  ModelLoading* const loading_;
  Worker* const worker_;
  Metrics* const metrics_;
};

}  // namespace superpose
