#include "server/jobs/snapshot_requests.h"

#include <utility>

namespace superpose {

void SnapshotRequests::Add(const std::string& job, SnapshotRequest request) {
  MutexLock lock(&mutex_);
  requests_[job].push_back(std::move(request));
}

bool SnapshotRequests::Has(const std::string& job) const {
  MutexLock lock(&mutex_);
  return requests_.count(job) > 0;
}

std::vector<SnapshotRequest> SnapshotRequests::Take(const std::string& job) {
  MutexLock lock(&mutex_);
  const auto node = requests_.extract(job);
  return node.empty() ? std::vector<SnapshotRequest>() : node.mapped();
}

void SnapshotRequests::Refuse(const absl::Status& why) {
  std::map<std::string, std::vector<SnapshotRequest>> refused;
  {
    MutexLock lock(&mutex_);
    refused = std::exchange(requests_, {});
  }
  for (const auto& [job, requests] : refused) {
    for (const SnapshotRequest& request : requests) request.done(why);
  }
}

}  // namespace superpose
