#include "server/services/statistics_service.h"

#include "lib/base/status_macros.h"
#include "server/services/call.h"
#include "server/services/paging.h"

namespace superpose {

grpc::ServerUnaryReactor* StatisticsServiceImpl::ListSnapshots(grpc::CallbackServerContext* context,
                                                               const v1::ListSnapshotsRequest* request,
                                                               v1::ListSnapshotsResponse* response) {
  return RunOnWorker(context, metrics_, worker_, "ListSnapshots", [=, this](const UnaryCall&) -> absl::Status {
    SUPERPOSE_ASSIGN_OR_RETURN(const int64_t size, ListPageSize(request->page_size()));
    SUPERPOSE_ASSIGN_OR_RETURN(SnapshotPage page, snapshots_->List(size, request->page_token(), request->midcoder()));
    response->mutable_snapshots()->Add(page.items.begin(), page.items.end());
    response->set_next_page_token(page.next_page_token);
    return absl::OkStatus();
  });
}

grpc::ServerUnaryReactor* StatisticsServiceImpl::GetSnapshot(grpc::CallbackServerContext* context,
                                                             const v1::GetSnapshotRequest* request,
                                                             v1::GetSnapshotResponse* response) {
  return RunOnWorker(context, metrics_, worker_, "GetSnapshot", [=, this](const UnaryCall&) -> absl::Status {
    SUPERPOSE_ASSIGN_OR_RETURN(*response->mutable_snapshot(), snapshots_->Get(request->name()));
    return absl::OkStatus();
  });
}

grpc::ServerUnaryReactor* StatisticsServiceImpl::DeleteSnapshot(grpc::CallbackServerContext* context,
                                                                const v1::DeleteSnapshotRequest* request,
                                                                v1::DeleteSnapshotResponse*) {
  return RunOnWorker(context, metrics_, worker_, "DeleteSnapshot",
                     [=, this](const UnaryCall&) { return snapshots_->Delete(request->name()); });
}

}  // namespace superpose
