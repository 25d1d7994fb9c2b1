#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/cpp/client.h"
#include "client/cpp/connection.h"
#include "client/cpp/job_watcher.h"

namespace superpose::client {

using Stub = v1::JobService::Stub;

bool IsFinished(const v1::Job& job) {
  return job.state() == v1::JOB_STATE_SUCCEEDED || job.state() == v1::JOB_STATE_FAILED ||
         job.state() == v1::JOB_STATE_CANCELLED;
}

absl::Status OutcomeOf(const v1::Job& job) {
  if (job.state() == v1::JOB_STATE_CANCELLED) {
    return MakeError(absl::StatusCode::kCancelled, "JOB_CANCELLED", absl::StrCat(job.name(), " was cancelled"));
  }
  if (job.state() != v1::JOB_STATE_FAILED) return absl::OkStatus();
  absl::Status error = FromRpc(job.error());
  if (error.ok()) return absl::UnknownError(absl::StrCat(job.name(), " failed and does not say why"));
  return WithContext(error, absl::StrCat(job.name(), " failed"));
}

absl::StatusOr<v1::Job> Client::GetJob(const std::string& name) const {
  v1::GetJobRequest request;
  request.set_name(name);
  SUPERPOSE_CLIENT_ASSIGN_OR_RETURN(auto response, connection_->Call(connection_->jobs.get(), &Stub::GetJob, request));
  return std::move(*response.mutable_job());
}

absl::StatusOr<v1::Job> Client::CancelJob(const std::string& name) const {
  v1::CancelJobRequest request;
  request.set_name(name);
  SUPERPOSE_CLIENT_ASSIGN_OR_RETURN(auto response,
                                    connection_->Call(connection_->jobs.get(), &Stub::CancelJob, request));
  return std::move(*response.mutable_job());
}

absl::Status Client::DeleteJob(const std::string& name) const {
  v1::DeleteJobRequest request;
  request.set_name(name);
  return connection_->Call(connection_->jobs.get(), &Stub::DeleteJob, request).status();
}

absl::StatusOr<std::vector<v1::Job>> Client::ListJobs(const ListJobsOptions& options) const {
  v1::ListJobsRequest first;
  for (v1::JobState state : options.states) first.add_states(state);
  first.set_owner(options.owner);
  return ListAll<v1::Job>(
      first, options.limit,
      [this](const v1::ListJobsRequest& request) {
        return connection_->Call(connection_->jobs.get(), &Stub::ListJobs, request);
      },
      [](v1::ListJobsResponse* page) { return page->mutable_jobs(); });
}

absl::StatusOr<v1::Job> Client::WatchJob(const std::string& name, const JobCallback& on_change,
                                         const WatchOptions& options) const {
  return JobWatcher(*connection_, name, on_change, options).Run();
}

absl::StatusOr<v1::Job> Client::WaitForJob(const std::string& name, const JobCallback& on_change,
                                           const WatchOptions& options) const {
  SUPERPOSE_CLIENT_ASSIGN_OR_RETURN(v1::Job job, WatchJob(name, on_change, options));
  SUPERPOSE_CLIENT_RETURN_IF_ERROR(OutcomeOf(job));
  return job;
}

}  // namespace superpose::client
