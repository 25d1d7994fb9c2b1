#include "server/services/job_watch.h"

#include <utility>

#include "lib/base/error.h"
#include "server/runtime/reasons.h"
#include "server/services/grpc_status.h"

namespace superpose {
namespace {

absl::Status ShuttingDown() {
  return Error(absl::StatusCode::kUnavailable, reason::kShuttingDown,
               "the server is stopping; the job goes on when it is back");
}

bool HasEnded(const v1::Job& job) {
  return job.state() == v1::JOB_STATE_SUCCEEDED || job.state() == v1::JOB_STATE_FAILED ||
         job.state() == v1::JOB_STATE_CANCELLED;
}

}  // namespace

void JobWatches::Add(JobWatch* watch) {
  MutexLock lock(&mutex_);
  watches_.insert(watch);
  if (stopped_) watch->End(ShuttingDown());
}

void JobWatches::Remove(JobWatch* watch) {
  MutexLock lock(&mutex_);
  watches_.erase(watch);
}

void JobWatches::Stop() {
  MutexLock lock(&mutex_);
  stopped_ = true;
  for (JobWatch* watch : watches_) watch->End(ShuttingDown());
}

JobWatch::JobWatch(grpc::CallbackServerContext* context, Metrics* metrics, JobWatches* watches)
    : watches_(watches), record_(metrics, "WatchJob", UserOf(*context)) {
  watches_->Add(this);
}

JobWatch::~JobWatch() {
  subscription_.reset();
  watches_->Remove(this);
}

void JobWatch::Start(JobManager* manager, const std::string& name) {
  subscription_ = manager->Watch(name, [this](const v1::Job& job) { Deliver(job); });
  absl::StatusOr<v1::Job> job = manager->Get(name);
  Step step;
  {
    MutexLock lock(&mutex_);
    starting_ = false;
    if (!job.ok() && !end_.has_value()) end_ = job.status();
    // What the listener brought in the meantime is newer, but nothing is newer than the end.
    if (job.ok() && (!delivered_ || HasEnded(*job)) && !end_.has_value()) {
      newest_ = *job;
      if (HasEnded(*job)) end_ = absl::OkStatus();
    }
    step = NextStep();
  }
  Take(step);
}

void JobWatch::Refuse(const absl::Status& status) {
  Step step;
  {
    MutexLock lock(&mutex_);
    starting_ = false;
    if (!end_.has_value()) end_ = status;
    step = NextStep();
  }
  Take(step);
}

void JobWatch::Deliver(const v1::Job& job) {
  Step step;
  {
    MutexLock lock(&mutex_);
    if (end_.has_value()) return;
    delivered_ = true;
    newest_ = job;
    if (HasEnded(job)) end_ = absl::OkStatus();
    step = NextStep();
  }
  Take(step);
}

void JobWatch::End(const absl::Status& status) {
  Step step;
  {
    MutexLock lock(&mutex_);
    if (end_.has_value()) return;
    end_ = status;
    newest_.reset();
    step = NextStep();
  }
  Take(step);
}

void JobWatch::OnWriteDone(bool ok) {
  Step step;
  {
    MutexLock lock(&mutex_);
    writing_ = false;
    if (!ok) {
      newest_.reset();
      end_ = absl::CancelledError("the watcher went away");
    }
    step = NextStep();
  }
  Take(step);
}

JobWatch::Step JobWatch::NextStep() {
  if (starting_ || writing_ || finished_) return Step::kNothing;
  if (newest_.has_value()) {
    writing_ = true;
    *response_.mutable_job() = *std::exchange(newest_, std::nullopt);
    return Step::kWrite;
  }
  if (!end_.has_value()) return Step::kNothing;
  finished_ = true;
  final_status_ = *end_;
  return Step::kFinish;
}

void JobWatch::Take(Step step) {
  if (step == Step::kWrite) StartWrite(&response_);
  if (step != Step::kFinish) return;
  record_.End(final_status_);
  Finish(ToGrpcStatus(final_status_));
}

}  // namespace superpose
