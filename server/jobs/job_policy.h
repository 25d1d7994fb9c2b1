#pragma once

#include <optional>
#include <string>
#include <vector>

#include "server/jobs/job_store.h"

namespace superpose {

struct JobCaps {
  int max_running = 2;
  int max_running_per_user = 1;
};

// Which queued job to start next; nothing when the caps allow none. Users with the fewest running jobs go first, then
// those whose job waits longest; among a user's jobs higher priority goes first, then the order of submission.
// Questions to snapshots are short, and somebody waits for the answer, perhaps while a long job of his runs: they go
// before all jobs, under caps of their own of the same size.
std::optional<std::string> PickNextJob(const std::vector<ActiveJob>& active, const JobCaps& caps);

// The queued jobs in the order in which they would be picked if each were started and none ended.
std::vector<std::string> QueueOrder(const std::vector<ActiveJob>& active);

}  // namespace superpose
