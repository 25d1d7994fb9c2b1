#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "lib/base/mutex.h"
#include "server/jobs/job_manager.h"
#include "superpose/v1/job.pb.h"

namespace superpose {

// Who listens to which job. Thread-safe; must outlive its subscriptions.
class JobWatchers {
 public:
  using Listener = std::function<void(const v1::Job& job)>;

  std::unique_ptr<JobSubscription> Add(const std::string& name, Listener listener);
  void Notify(const v1::Job& job);

 private:
  class Subscription;
  void Remove(const std::string& name, int64_t id);

  Mutex mutex_;  // held while listeners are called, so that none is after its subscription has gone
  std::map<std::string, std::map<int64_t, Listener>> listeners_ ABSL_GUARDED_BY(mutex_);
  int64_t next_id_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace superpose
