#include "server/jobs/job_watchers.h"

#include <utility>

namespace superpose {

class JobWatchers::Subscription final : public JobSubscription {
 public:
  Subscription(JobWatchers* watchers, std::string name, int64_t id)
      : watchers_(watchers), name_(std::move(name)), id_(id) {}
  ~Subscription() override { watchers_->Remove(name_, id_); }

 private:
  JobWatchers* const watchers_;
  const std::string name_;
  const int64_t id_;
};

std::unique_ptr<JobSubscription> JobWatchers::Add(const std::string& name, Listener listener) {
  MutexLock lock(&mutex_);
  const int64_t id = next_id_++;
  listeners_[name][id] = std::move(listener);
  return std::make_unique<Subscription>(this, name, id);
}

void JobWatchers::Notify(const v1::Job& job) {
  MutexLock lock(&mutex_);
  const auto found = listeners_.find(job.name());
  if (found == listeners_.end()) return;
  for (const auto& [id, listener] : found->second) listener(job);
}

void JobWatchers::Remove(const std::string& name, int64_t id) {
  MutexLock lock(&mutex_);
  const auto found = listeners_.find(name);
  found->second.erase(id);
  if (found->second.empty()) listeners_.erase(found);
}

}  // namespace superpose
