#pragma once

#include <memory>
#include <string>
#include <vector>

#include "server/jobs/job_manager.h"
#include "server/jobs/job_store.h"
#include "server/jobs/midcoder_store.h"
#include "server/jobs/snapshot_store.h"
#include "server/runtime/memory_budget.h"
#include "server/runtime/model_registry.h"
#include "server/runtime/worker.h"
#include "server/services/analysis_desk.h"
#include "server/services/call.h"
#include "server/telemetry/metrics.h"
#include "superpose/v1/statistics_service.grpc.pb.h"

namespace superpose {

// Collects, keeps and analyses statistics: specs are checked here; collecting and merging are the queue's work, and
// questions go to the desk. Runs on `worker`.
class StatisticsServiceImpl final : public v1::StatisticsService::CallbackService {
 public:
  // All must outlive this.
  struct Parts {
    const ModelRegistry* registry = nullptr;
    MemoryBudget* budget = nullptr;
    JobManager* jobs = nullptr;
    JobStore* job_store = nullptr;
    MidcoderStore* midcoders = nullptr;
    SnapshotStore* snapshots = nullptr;
    const AnalysisDesk* desk = nullptr;
    Worker* worker = nullptr;
    Metrics* metrics = nullptr;
  };
  explicit StatisticsServiceImpl(const Parts& parts) : parts_(parts) {}

  grpc::ServerUnaryReactor* CollectStatistics(grpc::CallbackServerContext* context,
                                              const v1::CollectStatisticsRequest* request,
                                              v1::CollectStatisticsResponse* response) override;
  grpc::ServerUnaryReactor* EstimateStatistics(grpc::CallbackServerContext* context,
                                               const v1::EstimateStatisticsRequest* request,
                                               v1::EstimateStatisticsResponse* response) override;
  grpc::ServerUnaryReactor* TakeSnapshot(grpc::CallbackServerContext* context, const v1::TakeSnapshotRequest* request,
                                         v1::TakeSnapshotResponse* response) override;
  grpc::ServerUnaryReactor* MergeSnapshots(grpc::CallbackServerContext* context,
                                           const v1::MergeSnapshotsRequest* request,
                                           v1::MergeSnapshotsResponse* response) override;
  grpc::ServerUnaryReactor* CompareSnapshots(grpc::CallbackServerContext* context,
                                             const v1::CompareSnapshotsRequest* request,
                                             v1::CompareSnapshotsResponse* response) override;
  grpc::ServerUnaryReactor* AnalyzeSnapshot(grpc::CallbackServerContext* context,
                                            const v1::AnalyzeSnapshotRequest* request,
                                            v1::AnalyzeSnapshotResponse* response) override;
  grpc::ServerUnaryReactor* ListSnapshots(grpc::CallbackServerContext* context, const v1::ListSnapshotsRequest* request,
                                          v1::ListSnapshotsResponse* response) override;
  grpc::ServerUnaryReactor* GetSnapshot(grpc::CallbackServerContext* context, const v1::GetSnapshotRequest* request,
                                        v1::GetSnapshotResponse* response) override;
  grpc::ServerUnaryReactor* DeleteSnapshot(grpc::CallbackServerContext* context,
                                           const v1::DeleteSnapshotRequest* request,
                                           v1::DeleteSnapshotResponse* response) override;

 private:
  absl::StatusOr<v1::Job> ResolveCollection(v1::Job job) const;
  absl::StatusOr<v1::Job> ResolveMerge(v1::Job job) const;

  const Parts parts_;
};

}  // namespace superpose
