#include "server/jobs/job_leases.h"

#include <iterator>
#include <utility>

#include "lib/base/error.h"
#include "server/runtime/reasons.h"
#include "server/telemetry/log.h"

namespace superpose {

bool LeaseIsLost(const absl::Status& status) {
  return ReasonOf(status) == reason::kLeaseLost || ReasonOf(status) == reason::kJobNotFound;
}

void JobLeases::Add(std::shared_ptr<RunningJob> job) {
  const std::string name = job->claim().job.name();
  leases_[name] = {std::move(job), clock_->Now()};
}

void JobLeases::Keep() {
  const absl::Time now = clock_->Now();
  for (auto next = leases_.begin(); next != leases_.end();) {
    const bool due = now - next->second.extended >= options_.interval;
    next = due && Extend(next->second) ? leases_.erase(next) : std::next(next);
  }
}

bool JobLeases::Extend(Lease& lease) {
  const absl::Time now = clock_->Now();
  const JobClaim claim = lease.job->claim();
  const auto job = store_->Heartbeat(claim, now, options_.lease);
  lease.extended = now;
  if (job.ok()) {
    if (job->cancel_requested()) lease.job->AskToCancel();
    return false;
  }
  Log(LogLevel::kWarning, "heartbeat failed",
      {{"job", claim.job.name()}, {"reason", ReasonOf(job.status())}, {"error", std::string(job.status().message())}});
  if (!LeaseIsLost(job.status())) return false;
  lease.job->AskToCancel();
  lease.job->Detach();
  return true;
}

}  // namespace superpose
