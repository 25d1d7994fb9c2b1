#include "server/jobs/job_policy.h"

#include <limits>
#include <map>
#include <tuple>

namespace superpose {
namespace {

std::map<std::string, int> RunningByUser(const std::vector<ActiveJob>& active) {
  std::map<std::string, int> running;
  for (const ActiveJob& job : active) running[job.owner] += job.state == v1::JOB_STATE_RUNNING ? 1 : 0;
  return running;
}

// A user's next job: of highest priority, then submitted first.
std::map<std::string, const ActiveJob*> NextByUser(const std::vector<ActiveJob>& active) {
  std::map<std::string, const ActiveJob*> next;
  for (const ActiveJob& job : active) {
    if (job.state != v1::JOB_STATE_QUEUED) continue;
    const ActiveJob*& best = next[job.owner];
    if (best == nullptr || std::tuple(best->priority, job.sequence) < std::tuple(job.priority, best->sequence))
      best = &job;
  }
  return next;
}

}  // namespace

std::optional<std::string> PickNextJob(const std::vector<ActiveJob>& active, const JobCaps& caps) {
  const std::map<std::string, int> running = RunningByUser(active);
  int all_running = 0;
  for (const auto& [user, count] : running) all_running += count;
  if (all_running >= caps.max_running) return std::nullopt;
  const ActiveJob* best = nullptr;
  for (const auto& [user, job] : NextByUser(active)) {
    if (running.at(user) >= caps.max_running_per_user) continue;
    if (best == nullptr ||
        std::tuple(running.at(user), job->sequence) < std::tuple(running.at(best->owner), best->sequence))
      best = job;
  }
  if (best == nullptr) return std::nullopt;
  return best->name;
}

std::vector<std::string> QueueOrder(std::vector<ActiveJob> active) {
  constexpr int kNoCap = std::numeric_limits<int>::max();
  std::vector<std::string> order;
  while (const auto next = PickNextJob(active, {kNoCap, kNoCap})) {
    order.push_back(*next);
    for (ActiveJob& job : active) {
      if (job.name == *next) job.state = v1::JOB_STATE_RUNNING;
    }
  }
  return order;
}

}  // namespace superpose
