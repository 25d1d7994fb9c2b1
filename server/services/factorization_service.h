#pragma once

#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/analysis/analysis_sources.h"
#include "server/factorization_files/factorization_exporter.h"
#include "server/factorization_files/factorization_importer.h"
#include "server/jobs/job_manager.h"
#include "server/jobs/job_store.h"
#include "server/runtime/memory_budget.h"
#include "server/runtime/worker.h"
#include "server/services/analysis_desk.h"
#include "server/services/call.h"
#include "server/telemetry/metrics.h"
#include "superpose/v1/factorization_service.grpc.pb.h"

namespace superpose {

// Factorizes decoders, keeps, imports and exports factorizations, and answers questions to them and to directions:
// specs and decoders are checked here, fitting is the queue's work. What looks at directions runs on the desk's worker,
// imports and exports on `loading_worker`, the rest on `worker`.
class FactorizationServiceImpl final : public v1::FactorizationService::CallbackService {
 public:
  // All must outlive this.
  struct Parts {
    AnalysisSources sources = {};
    MemoryBudget* budget = nullptr;
    JobManager* jobs = nullptr;
    JobStore* job_store = nullptr;
    const AnalysisDesk* desk = nullptr;
    FactorizationImporter* importer = nullptr;
    FactorizationExporter* exporter = nullptr;
    Worker* worker = nullptr;
    Worker* loading_worker = nullptr;  // for imports and exports
    Metrics* metrics = nullptr;
  };
  explicit FactorizationServiceImpl(const Parts& parts) : parts_(parts) {}

  grpc::ServerUnaryReactor* FactorizeDecoders(grpc::CallbackServerContext* context,
                                              const v1::FactorizeDecodersRequest* request,
                                              v1::FactorizeDecodersResponse* response) override;
  grpc::ServerUnaryReactor* EstimateFactorization(grpc::CallbackServerContext* context,
                                                  const v1::EstimateFactorizationRequest* request,
                                                  v1::EstimateFactorizationResponse* response) override;
  grpc::ServerUnaryReactor* AnalyzeDirections(grpc::CallbackServerContext* context,
                                              const v1::AnalyzeDirectionsRequest* request,
                                              v1::AnalyzeDirectionsResponse* response) override;
  grpc::ServerUnaryReactor* ListFactorizations(grpc::CallbackServerContext* context,
                                               const v1::ListFactorizationsRequest* request,
                                               v1::ListFactorizationsResponse* response) override;
  grpc::ServerUnaryReactor* GetFactorization(grpc::CallbackServerContext* context,
                                             const v1::GetFactorizationRequest* request,
                                             v1::GetFactorizationResponse* response) override;
  grpc::ServerUnaryReactor* DeleteFactorization(grpc::CallbackServerContext* context,
                                                const v1::DeleteFactorizationRequest* request,
                                                v1::DeleteFactorizationResponse* response) override;
  grpc::ServerUnaryReactor* ImportFactorization(grpc::CallbackServerContext* context,
                                                const v1::ImportFactorizationRequest* request,
                                                v1::ImportFactorizationResponse* response) override;
  grpc::ServerWriteReactor<v1::ExportFactorizationResponse>* ExportFactorization(
      grpc::CallbackServerContext* context, const v1::ExportFactorizationRequest* request) override;

 private:
  absl::StatusOr<v1::Job> Resolve(v1::Job job) const;

  const Parts parts_;
};

}  // namespace superpose
