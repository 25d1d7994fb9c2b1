#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "lib/base/mutex.h"
#include "superpose/v1/statistics.pb.h"

namespace superpose {

// Somebody who waits for snapshots of a running job.
struct SnapshotRequest {
  std::map<std::string, std::string> labels;
  // Called once, from any thread.
  std::function<void(const absl::StatusOr<std::vector<v1::Snapshot>>& snapshots)> done;
};

// Those who wait, by job. Thread-safe.
class SnapshotRequests {
 public:
  void Add(const std::string& job, SnapshotRequest request);
  bool Has(const std::string& job) const;
  // Takes out all that wait for this job.
  std::vector<SnapshotRequest> Take(const std::string& job);
  // Tells all that wait, for whatever job, that there will be none.
  void Refuse(const absl::Status& why);

 private:
  mutable Mutex mutex_;
  std::map<std::string, std::vector<SnapshotRequest>> requests_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace superpose
