#pragma once

#include <map>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "server/jobs/job_store.h"
#include "server/jobs/running_job.h"
#include "server/runtime/clock.h"

namespace superpose {

// Whether a store's answer says that a job is another's now, or gone.
bool LeaseIsLost(const absl::Status& status);

// Keeps the leases of the jobs that this server runs, and brings the cancels that the store was asked for. For one
// thread.
class JobLeases {
 public:
  struct Options {
    absl::Duration interval;  // between two extensions
    absl::Duration lease;     // how long one holds
  };
  // Both must outlive this.
  JobLeases(const Options& options, JobStore* store, const Clock* clock)
      : options_(options), store_(store), clock_(clock) {}

  // A job that was claimed just now.
  void Add(std::shared_ptr<RunningJob> job);
  void Remove(const std::string& name) { leases_.erase(name); }
  // Extends those that are due. A job whose lease is lost ends, and calls back no more.
  void Keep();
  // False once the lease of a job is lost.
  bool Holds(const std::string& name) const { return leases_.contains(name); }

 private:
  struct Lease {
    std::shared_ptr<RunningJob> job;
    absl::Time extended;
  };
  // Whether it is lost.
  bool Extend(Lease& lease);

  const Options options_;
  JobStore* const store_;
  const Clock* const clock_;
  std::map<std::string, Lease> leases_;
};

}  // namespace superpose
