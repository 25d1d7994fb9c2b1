#include "server/services/statistics_service.h"

#include <memory>
#include <utility>

#include "lib/base/status_macros.h"
#include "server/jobs/job_memory.h"
#include "server/jobs/merge_work.h"
#include "server/jobs/snapshot_comparison.h"
#include "server/jobs/statistics_work.h"
#include "server/runtime/spec_checks.h"
#include "server/runtime/statistics_memory.h"
#include "server/runtime/statistics_specs.h"
#include "server/services/new_job.h"
#include "server/services/paging.h"

namespace superpose {

absl::StatusOr<v1::Job> StatisticsServiceImpl::ResolveCollection(v1::Job job) const {
  v1::StatisticsSpec& spec = *job.mutable_collect_statistics();
  SUPERPOSE_ASSIGN_OR_RETURN(const std::vector<v1::Midcoder> midcoders, MidcodersOf(parts_.midcoders, spec));
  SUPERPOSE_ASSIGN_OR_RETURN(spec, ResolveStatisticsSpec(*parts_.registry, midcoders, std::move(spec)));
  SUPERPOSE_ASSIGN_OR_RETURN(const MemoryEstimate estimate, EstimateCollection(*parts_.registry, midcoders, spec));
  SUPERPOSE_RETURN_IF_ERROR(parts_.budget->CheckCanEverFit(
      MemoryUse::kJob, estimate.peak_bytes, "collecting this",
      CollectionThatFits(*parts_.registry, midcoders, spec, parts_.budget->MostEver(MemoryUse::kJob))));
  return job;
}

absl::StatusOr<v1::Job> StatisticsServiceImpl::ResolveMerge(v1::Job job) const {
  SUPERPOSE_RETURN_IF_ERROR(CheckLabels(job.merge_snapshots().labels()));
  SUPERPOSE_ASSIGN_OR_RETURN(const std::vector<v1::Snapshot> snapshots,
                             SnapshotsToMerge(parts_.snapshots, job.merge_snapshots()));
  SUPERPOSE_RETURN_IF_ERROR(parts_.budget->CheckCanEverFit(MemoryUse::kJob, BytesOfTensors(snapshots.front()),
                                                           "this merge", "raise memory_limit_bytes"));
  return job;
}

grpc::ServerUnaryReactor* StatisticsServiceImpl::CollectStatistics(grpc::CallbackServerContext* context,
                                                                   const v1::CollectStatisticsRequest* request,
                                                                   v1::CollectStatisticsResponse* response) {
  return RunOnWorker(context, parts_.metrics, parts_.worker, "CollectStatistics",
                     [=, this](const UnaryCall& call) -> absl::Status {
                       v1::Job as_sent = NewJob(*request, call);
                       *as_sent.mutable_collect_statistics() = request->spec();
                       const auto resolve = [this](v1::Job job) { return ResolveCollection(std::move(job)); };
                       SUPERPOSE_ASSIGN_OR_RETURN(*response->mutable_job(), parts_.jobs->Submit(as_sent, resolve));
                       return absl::OkStatus();
                     });
}

grpc::ServerUnaryReactor* StatisticsServiceImpl::EstimateStatistics(grpc::CallbackServerContext* context,
                                                                    const v1::EstimateStatisticsRequest* request,
                                                                    v1::EstimateStatisticsResponse* response) {
  return RunOnWorker(context, parts_.metrics, parts_.worker, "EstimateStatistics",
                     [=, this](const UnaryCall&) -> absl::Status {
                       SUPERPOSE_ASSIGN_OR_RETURN(const std::vector<v1::Midcoder> midcoders,
                                                  MidcodersOf(parts_.midcoders, request->spec()));
                       SUPERPOSE_ASSIGN_OR_RETURN(const v1::StatisticsSpec spec,
                                                  ResolveStatisticsSpec(*parts_.registry, midcoders, request->spec()));
                       SUPERPOSE_ASSIGN_OR_RETURN(const MemoryEstimate estimate,
                                                  EstimateCollection(*parts_.registry, midcoders, spec));
                       SUPERPOSE_ASSIGN_OR_RETURN(const int64_t snapshot_bytes,
                                                  EstimateSnapshotBytes(*parts_.registry, midcoders, spec));
                       const int64_t available = parts_.budget->Available(MemoryUse::kJob);
                       v1::MemoryEstimate* answer = response->mutable_estimate();
                       answer->set_peak_bytes(estimate.peak_bytes);
                       answer->set_checkpoint_bytes(estimate.checkpoint_bytes);
                       answer->set_available_bytes(available);
                       if (estimate.peak_bytes > available) {
                         answer->set_advice(CollectionThatFits(*parts_.registry, midcoders, spec, available));
                       }
                       response->set_snapshot_bytes(snapshot_bytes);
                       return absl::OkStatus();
                     });
}

grpc::ServerUnaryReactor* StatisticsServiceImpl::TakeSnapshot(grpc::CallbackServerContext* context,
                                                              const v1::TakeSnapshotRequest* request,
                                                              v1::TakeSnapshotResponse* response) {
  auto call = std::make_shared<UnaryCall>(context, parts_.metrics, "TakeSnapshot");
  StartOnWorker(call, parts_.worker, [this, call, request, response]() -> absl::Status {
    SUPERPOSE_RETURN_IF_ERROR(CheckLabels(request->labels()));
    SnapshotRequest wanted;
    wanted.labels = {request->labels().begin(), request->labels().end()};
    wanted.done = [call, response](const absl::StatusOr<std::vector<v1::Snapshot>>& snapshots) {
      if (snapshots.ok()) response->mutable_snapshots()->Add(snapshots->begin(), snapshots->end());
      call->Finish(snapshots.status());
    };
    parts_.jobs->TakeSnapshots(request->job(), std::move(wanted));
    return absl::OkStatus();
  });
  return call->reactor();
}

grpc::ServerUnaryReactor* StatisticsServiceImpl::MergeSnapshots(grpc::CallbackServerContext* context,
                                                                const v1::MergeSnapshotsRequest* request,
                                                                v1::MergeSnapshotsResponse* response) {
  return RunOnWorker(context, parts_.metrics, parts_.worker, "MergeSnapshots",
                     [=, this](const UnaryCall& call) -> absl::Status {
                       v1::Job as_sent = NewJob(*request, call);
                       *as_sent.mutable_merge_snapshots() = request->spec();
                       const auto resolve = [this](v1::Job job) { return ResolveMerge(std::move(job)); };
                       SUPERPOSE_ASSIGN_OR_RETURN(*response->mutable_job(), parts_.jobs->Submit(as_sent, resolve));
                       return absl::OkStatus();
                     });
}

grpc::ServerUnaryReactor* StatisticsServiceImpl::CompareSnapshots(grpc::CallbackServerContext* context,
                                                                  const v1::CompareSnapshotsRequest* request,
                                                                  v1::CompareSnapshotsResponse* response) {
  return RunOnWorker(
      context, parts_.metrics, parts_.worker, "CompareSnapshots", [=, this](const UnaryCall&) -> absl::Status {
        SUPERPOSE_ASSIGN_OR_RETURN(const v1::Snapshot snapshot, parts_.snapshots->Get(request->snapshot()));
        SUPERPOSE_ASSIGN_OR_RETURN(const v1::Snapshot other, parts_.snapshots->Get(request->other()));
        for (v1::SnapshotDifference& difference : DifferencesOf(snapshot, other)) {
          *response->add_differences() = std::move(difference);
        }
        const absl::Status mergeable = CheckMergeable({snapshot, other});
        response->set_mergeable(mergeable.ok());
        response->set_obstacle(std::string(mergeable.message()));
        return absl::OkStatus();
      });
}

grpc::ServerUnaryReactor* StatisticsServiceImpl::AnalyzeSnapshot(grpc::CallbackServerContext* context,
                                                                 const v1::AnalyzeSnapshotRequest* request,
                                                                 v1::AnalyzeSnapshotResponse* response) {
  auto call = std::make_shared<UnaryCall>(context, parts_.metrics, "AnalyzeSnapshot");
  StartOnWorker(call, parts_.desk->worker(), [this, call, request, response] {
    return parts_.desk->Answer(AnalysisCall::kAnalyzeSnapshot, call, *request, response);
  });
  return call->reactor();
}

grpc::ServerUnaryReactor* StatisticsServiceImpl::ListSnapshots(grpc::CallbackServerContext* context,
                                                               const v1::ListSnapshotsRequest* request,
                                                               v1::ListSnapshotsResponse* response) {
  return RunOnWorker(
      context, parts_.metrics, parts_.worker, "ListSnapshots", [=, this](const UnaryCall&) -> absl::Status {
        SUPERPOSE_ASSIGN_OR_RETURN(const int64_t size, ListPageSize(request->page_size()));
        SUPERPOSE_ASSIGN_OR_RETURN(SnapshotPage page, parts_.snapshots->List(size, request->page_token(),
                                                                             request->midcoder(), request->job()));
        response->mutable_snapshots()->Add(page.items.begin(), page.items.end());
        response->set_next_page_token(page.next_page_token);
        return absl::OkStatus();
      });
}

grpc::ServerUnaryReactor* StatisticsServiceImpl::GetSnapshot(grpc::CallbackServerContext* context,
                                                             const v1::GetSnapshotRequest* request,
                                                             v1::GetSnapshotResponse* response) {
  return RunOnWorker(
      context, parts_.metrics, parts_.worker, "GetSnapshot", [=, this](const UnaryCall&) -> absl::Status {
        SUPERPOSE_ASSIGN_OR_RETURN(*response->mutable_snapshot(), parts_.snapshots->Get(request->name()));
        return absl::OkStatus();
      });
}

grpc::ServerUnaryReactor* StatisticsServiceImpl::DeleteSnapshot(grpc::CallbackServerContext* context,
                                                                const v1::DeleteSnapshotRequest* request,
                                                                v1::DeleteSnapshotResponse*) {
  return RunOnWorker(context, parts_.metrics, parts_.worker, "DeleteSnapshot",
                     [=, this](const UnaryCall&) -> absl::Status {
                       SUPERPOSE_RETURN_IF_ERROR(CheckNoJobReads(request->name(), parts_.job_store));
                       return parts_.snapshots->Delete(request->name());
                     });
}

}  // namespace superpose
