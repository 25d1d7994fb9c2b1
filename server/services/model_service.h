#pragma once

#include "server/runtime/model_registry.h"
#include "server/runtime/worker.h"
#include "server/telemetry/metrics.h"
#include "superpose/v1/model_service.grpc.pb.h"

namespace superpose {

// The models, transcoders and corpora held, and their tokenizers. Runs on `worker`.
class ModelServiceImpl final : public v1::ModelService::CallbackService {
 public:
  ModelServiceImpl(const ModelRegistry* registry, Worker* worker, Metrics* metrics)
      : registry_(registry), worker_(worker), metrics_(metrics) {}

  grpc::ServerUnaryReactor* ListModels(grpc::CallbackServerContext* context, const v1::ListModelsRequest* request,
                                       v1::ListModelsResponse* response) override;
  grpc::ServerUnaryReactor* GetModel(grpc::CallbackServerContext* context, const v1::GetModelRequest* request,
                                     v1::GetModelResponse* response) override;
  grpc::ServerUnaryReactor* Tokenize(grpc::CallbackServerContext* context, const v1::TokenizeRequest* request,
                                     v1::TokenizeResponse* response) override;
  grpc::ServerUnaryReactor* Detokenize(grpc::CallbackServerContext* context, const v1::DetokenizeRequest* request,
                                       v1::DetokenizeResponse* response) override;
  grpc::ServerUnaryReactor* ListCorpora(grpc::CallbackServerContext* context, const v1::ListCorporaRequest* request,
                                        v1::ListCorporaResponse* response) override;
  grpc::ServerUnaryReactor* GetCorpus(grpc::CallbackServerContext* context, const v1::GetCorpusRequest* request,
                                      v1::GetCorpusResponse* response) override;

 private:
  const ModelRegistry* const registry_;
  Worker* const worker_;
  Metrics* const metrics_;
};

}  // namespace superpose
