#pragma once

#include <memory>
#include <optional>
#include <set>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "lib/base/mutex.h"
#include "server/jobs/job_manager.h"
#include "server/services/call.h"
#include "server/telemetry/metrics.h"
#include "superpose/v1/job_service.grpc.pb.h"

namespace superpose {

class JobWatch;

// The watches under way, so that a server that stops can end them. Thread-safe.
class JobWatches {
 public:
  void Add(JobWatch* watch);
  void Remove(JobWatch* watch);
  // Ends all of them, and every one that is added later.
  void Stop();

 private:
  Mutex mutex_;
  std::set<JobWatch*> watches_ ABSL_GUARDED_BY(mutex_);
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
};

// Answers one WatchJob call: the job as it is, then its newest state whenever the reader has taken the one before,
// until it has ended. Deletes itself.
class JobWatch final : public grpc::ServerWriteReactor<v1::WatchJobResponse> {
 public:
  JobWatch(grpc::CallbackServerContext* context, Metrics* metrics, JobWatches* watches);

  // Once, on a thread that may block.
  void Start(JobManager* manager, const std::string& name);
  // In the place of Start(): ends the call.
  void Refuse(const absl::Status& status);
  // Ends the call as soon as no write is under way; the first end holds.
  void End(const absl::Status& status);

  void OnWriteDone(bool ok) override;
  void OnCancel() override { End(absl::CancelledError("the watcher went away")); }
  void OnDone() override { delete this; }

 private:
  enum class Step { kNothing, kWrite, kFinish };

  ~JobWatch() override;
  void Deliver(const v1::Job& job);
  // Decides on what can be started now, and notes it as begun.
  Step NextStep() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Starts it. Without the lock: the end of the call deletes this object.
  void Take(Step step);

  JobWatches* const watches_;
  CallRecord record_;
  std::unique_ptr<JobSubscription> subscription_;
  Mutex mutex_;
  bool starting_ ABSL_GUARDED_BY(mutex_) = true;
  bool delivered_ ABSL_GUARDED_BY(mutex_) = false;
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
  std::optional<v1::Job> newest_ ABSL_GUARDED_BY(mutex_);  // not yet written
  std::optional<absl::Status> end_ ABSL_GUARDED_BY(mutex_);
  v1::WatchJobResponse response_;  // being written
  absl::Status final_status_;
};

}  // namespace superpose
