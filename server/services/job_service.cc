#include "server/services/job_service.h"

#include "lib/base/status_macros.h"
#include "server/services/call.h"
#include "server/services/paging.h"

namespace superpose {

grpc::ServerUnaryReactor* JobServiceImpl::GetJob(grpc::CallbackServerContext* context, const v1::GetJobRequest* request,
                                                 v1::GetJobResponse* response) {
  return RunOnWorker(context, metrics_, worker_, "GetJob", [=, this](const UnaryCall&) -> absl::Status {
    SUPERPOSE_ASSIGN_OR_RETURN(*response->mutable_job(), manager_->Get(request->name()));
    return absl::OkStatus();
  });
}

grpc::ServerUnaryReactor* JobServiceImpl::ListJobs(grpc::CallbackServerContext* context,
                                                   const v1::ListJobsRequest* request, v1::ListJobsResponse* response) {
  return RunOnWorker(context, metrics_, worker_, "ListJobs", [=, this](const UnaryCall&) -> absl::Status {
    SUPERPOSE_ASSIGN_OR_RETURN(const int64_t size, ListPageSize(request->page_size()));
    JobFilter filter{.owner = request->owner()};
    for (const int state : request->states()) filter.states.push_back(static_cast<v1::JobState>(state));
    SUPERPOSE_ASSIGN_OR_RETURN(JobPage page, manager_->List(filter, size, request->page_token()));
    response->mutable_jobs()->Add(page.jobs.begin(), page.jobs.end());
    response->set_next_page_token(page.next_page_token);
    return absl::OkStatus();
  });
}

grpc::ServerWriteReactor<v1::WatchJobResponse>* JobServiceImpl::WatchJob(grpc::CallbackServerContext* context,
                                                                         const v1::WatchJobRequest* request) {
  auto* watch = new JobWatch(context, metrics_, &watches_);
  if (const absl::Status room = CheckOpenCalls(*metrics_); !room.ok()) {
    watch->Refuse(room);
    return watch;
  }
  worker_->Post([this, watch, request] { watch->Start(manager_, request->name()); });
  return watch;
}

grpc::ServerUnaryReactor* JobServiceImpl::CancelJob(grpc::CallbackServerContext* context,
                                                    const v1::CancelJobRequest* request,
                                                    v1::CancelJobResponse* response) {
  return RunOnWorker(context, metrics_, worker_, "CancelJob", [=, this](const UnaryCall&) -> absl::Status {
    SUPERPOSE_ASSIGN_OR_RETURN(*response->mutable_job(), manager_->Cancel(request->name()));
    return absl::OkStatus();
  });
}

grpc::ServerUnaryReactor* JobServiceImpl::DeleteJob(grpc::CallbackServerContext* context,
                                                    const v1::DeleteJobRequest* request, v1::DeleteJobResponse*) {
  return RunOnWorker(context, metrics_, worker_, "DeleteJob",
                     [=, this](const UnaryCall&) { return manager_->Delete(request->name()); });
}

}  // namespace superpose
