#pragma once

#include <set>

#include "absl/base/thread_annotations.h"
#include "lib/base/mutex.h"
#include "server/jobs/job_manager.h"
#include "server/runtime/worker.h"
#include "server/services/job_watch.h"
#include "server/telemetry/metrics.h"
#include "superpose/v1/job_service.grpc.pb.h"

namespace superpose {

// The job queue. Runs on `worker`.
class JobServiceImpl final : public v1::JobService::CallbackService {
 public:
  JobServiceImpl(JobManager* manager, Worker* worker, Metrics* metrics)
      : manager_(manager), worker_(worker), metrics_(metrics) {}

  grpc::ServerUnaryReactor* GetJob(grpc::CallbackServerContext* context, const v1::GetJobRequest* request,
                                   v1::GetJobResponse* response) override;
  grpc::ServerUnaryReactor* ListJobs(grpc::CallbackServerContext* context, const v1::ListJobsRequest* request,
                                     v1::ListJobsResponse* response) override;
  grpc::ServerWriteReactor<v1::WatchJobResponse>* WatchJob(grpc::CallbackServerContext* context,
                                                           const v1::WatchJobRequest* request) override;
  grpc::ServerUnaryReactor* CancelJob(grpc::CallbackServerContext* context, const v1::CancelJobRequest* request,
                                      v1::CancelJobResponse* response) override;
  grpc::ServerUnaryReactor* DeleteJob(grpc::CallbackServerContext* context, const v1::DeleteJobRequest* request,
                                      v1::DeleteJobResponse* response) override;

  // Ends all watches with UNAVAILABLE / SHUTTING_DOWN, and every later one at once.
  void Stop() { watches_.Stop(); }

 private:
  JobManager* const manager_;
  Worker* const worker_;
  Metrics* const metrics_;
  JobWatches watches_;
};

}  // namespace superpose
