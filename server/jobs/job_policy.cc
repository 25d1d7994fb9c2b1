#include "server/jobs/job_policy.h"

#include <algorithm>
#include <functional>
#include <iterator>
#include <map>
#include <queue>
#include <tuple>

namespace superpose {
namespace {

std::map<std::string, int> RunningByUser(const std::vector<ActiveJob>& active) {
  std::map<std::string, int> running;
  for (const ActiveJob& job : active) running[job.owner] += job.state == v1::JOB_STATE_RUNNING ? 1 : 0;
  return running;
}

// Of two jobs of one user: the one of higher priority, then the one submitted first.
bool GoesBefore(const ActiveJob& a, const ActiveJob& b) {
  return std::tuple(b.priority, a.sequence) < std::tuple(a.priority, b.sequence);
}

// A user's next job.
std::map<std::string, const ActiveJob*> NextByUser(const std::vector<ActiveJob>& active) {
  std::map<std::string, const ActiveJob*> next;
  for (const ActiveJob& job : active) {
    if (job.state != v1::JOB_STATE_QUEUED) continue;
    const ActiveJob*& best = next[job.owner];
    if (best == nullptr || GoesBefore(job, *best)) best = &job;
  }
  return next;
}

std::vector<ActiveJob> Only(const std::vector<ActiveJob>& active, bool questions) {
  std::vector<ActiveJob> chosen;
  std::copy_if(active.begin(), active.end(), std::back_inserter(chosen),
               [questions](const ActiveJob& job) { return job.is_question == questions; });
  return chosen;
}

std::optional<std::string> PickAmong(const std::vector<ActiveJob>& active, const JobCaps& caps) {
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

std::vector<std::string> OrderAmong(const std::vector<ActiveJob>& active) {
  std::map<std::string, std::vector<const ActiveJob*>> queues;  // of each user, the next one last
  for (const ActiveJob& job : active) {
    if (job.state == v1::JOB_STATE_QUEUED) queues[job.owner].push_back(&job);
  }
  // Users by how many jobs of theirs run by then, then by how long their next one waits; the first on top.
  using Turn = std::tuple<int, int64_t, std::string>;
  std::priority_queue<Turn, std::vector<Turn>, std::greater<>> turns;
  const std::map<std::string, int> running = RunningByUser(active);
  for (auto& [user, jobs] : queues) {
    std::sort(jobs.begin(), jobs.end(), [](const ActiveJob* a, const ActiveJob* b) { return GoesBefore(*b, *a); });
    turns.emplace(running.at(user), jobs.back()->sequence, user);
  }
  std::vector<std::string> order;
  while (!turns.empty()) {
    const auto [count, sequence, user] = turns.top();
    turns.pop();
    std::vector<const ActiveJob*>& jobs = queues.at(user);
    order.push_back(jobs.back()->name);
    jobs.pop_back();
    if (!jobs.empty()) turns.emplace(count + 1, jobs.back()->sequence, user);
  }
  return order;
}

}  // namespace

std::optional<std::string> PickNextJob(const std::vector<ActiveJob>& active, const JobCaps& caps) {
  const std::optional<std::string> question = PickAmong(Only(active, /*questions=*/true), caps);
  return question.has_value() ? question : PickAmong(Only(active, /*questions=*/false), caps);
}

std::vector<std::string> QueueOrder(const std::vector<ActiveJob>& active) {
  std::vector<std::string> order = OrderAmong(Only(active, /*questions=*/true));
  const std::vector<std::string> jobs = OrderAmong(Only(active, /*questions=*/false));
  order.insert(order.end(), jobs.begin(), jobs.end());
  return order;
}

}  // namespace superpose
