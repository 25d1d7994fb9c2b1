#pragma once

#include "server/jobs/job_manager.h"
#include "server/jobs/midcoder_store.h"
#include "server/jobs/snapshot_store.h"
#include "server/midcoder_files/midcoder_exporter.h"
#include "server/midcoder_files/midcoder_importer.h"
#include "server/runtime/memory_budget.h"
#include "server/runtime/model_registry.h"
#include "server/runtime/worker.h"
#include "server/telemetry/metrics.h"
#include "superpose/v1/midcoder_service.grpc.pb.h"

namespace superpose {

// Trains, evaluates, keeps, imports and exports midcoders: specs are checked here, the work itself is the queue's. Runs
// on `worker` but for imports and exports.
class MidcoderServiceImpl final : public v1::MidcoderService::CallbackService {
 public:
  // All must outlive this.
  struct Parts {
    const ModelRegistry* registry = nullptr;
    const MemoryBudget* budget = nullptr;
    JobManager* jobs = nullptr;
    MidcoderStore* midcoders = nullptr;
    SnapshotStore* snapshots = nullptr;
    MidcoderImporter* importer = nullptr;
    MidcoderExporter* exporter = nullptr;
    Worker* worker = nullptr;
    Worker* loading_worker = nullptr;  // for imports and exports
    Metrics* metrics = nullptr;
  };
  explicit MidcoderServiceImpl(const Parts& parts) : parts_(parts) {}

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
  grpc::ServerUnaryReactor* EstimateMidcoderTraining(grpc::CallbackServerContext* context,
                                                     const v1::EstimateMidcoderTrainingRequest* request,
                                                     v1::EstimateMidcoderTrainingResponse* response) override;
  grpc::ServerUnaryReactor* ImportMidcoder(grpc::CallbackServerContext* context,
                                           const v1::ImportMidcoderRequest* request,
                                           v1::ImportMidcoderResponse* response) override;
  grpc::ServerWriteReactor<v1::ExportMidcoderResponse>* ExportMidcoder(
      grpc::CallbackServerContext* context, const v1::ExportMidcoderRequest* request) override;

 private:
  // Fills in what other stores know of it.
  absl::Status AddSnapshots(v1::Midcoder* midcoder) const;

  const Parts parts_;
};

}  // namespace superpose
