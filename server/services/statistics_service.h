#pragma once

#include "server/jobs/snapshot_store.h"
#include "server/runtime/worker.h"
#include "server/telemetry/metrics.h"
#include "superpose/v1/statistics_service.grpc.pb.h"

namespace superpose {

// Keeps snapshots of statistics. Runs on `worker`.
class StatisticsServiceImpl final : public v1::StatisticsService::CallbackService {
 public:
  StatisticsServiceImpl(SnapshotStore* snapshots, Worker* worker, Metrics* metrics)
      : snapshots_(snapshots), worker_(worker), metrics_(metrics) {}

  grpc::ServerUnaryReactor* ListSnapshots(grpc::CallbackServerContext* context, const v1::ListSnapshotsRequest* request,
                                          v1::ListSnapshotsResponse* response) override;
  grpc::ServerUnaryReactor* GetSnapshot(grpc::CallbackServerContext* context, const v1::GetSnapshotRequest* request,
                                        v1::GetSnapshotResponse* response) override;
  grpc::ServerUnaryReactor* DeleteSnapshot(grpc::CallbackServerContext* context,
                                           const v1::DeleteSnapshotRequest* request,
                                           v1::DeleteSnapshotResponse* response) override;

 private:
  SnapshotStore* const snapshots_;
  Worker* const worker_;
  Metrics* const metrics_;
};

}  // namespace superpose
