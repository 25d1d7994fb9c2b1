#pragma once

#include "server/corpora/corpus_store.h"
#include "server/jobs/job_manager.h"
#include "server/runtime/model_registry.h"
#include "server/runtime/worker.h"
#include "server/telemetry/metrics.h"
#include "superpose/v1/corpus_service.grpc.pb.h"

namespace superpose {

// The corpora that jobs may read. Runs on `worker`, but for CreateCorpus, which tokenizes: on `reader`.
class CorpusServiceImpl final : public v1::CorpusService::CallbackService {
 public:
  struct Parts {
    const ModelRegistry* registry = nullptr;
    CorpusStore* store = nullptr;
    JobManager* jobs = nullptr;
    Worker* worker = nullptr;
    Worker* reader = nullptr;
    Metrics* metrics = nullptr;
  };
  explicit CorpusServiceImpl(const Parts& parts) : parts_(parts) {}

  grpc::ServerUnaryReactor* ListCorpora(grpc::CallbackServerContext* context, const v1::ListCorporaRequest* request,
                                        v1::ListCorporaResponse* response) override;
  grpc::ServerUnaryReactor* GetCorpus(grpc::CallbackServerContext* context, const v1::GetCorpusRequest* request,
                                      v1::GetCorpusResponse* response) override;
  grpc::ServerUnaryReactor* CreateCorpus(grpc::CallbackServerContext* context, const v1::CreateCorpusRequest* request,
                                         v1::CreateCorpusResponse* response) override;
  grpc::ServerUnaryReactor* DeleteCorpus(grpc::CallbackServerContext* context, const v1::DeleteCorpusRequest* request,
                                         v1::DeleteCorpusResponse* response) override;

 private:
  // RESOURCE_IN_USE when a job that waits or runs names the corpus.
  absl::Status CheckUnused(const std::string& corpus) const;

  const Parts parts_;
};

}  // namespace superpose
