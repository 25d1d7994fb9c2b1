#include "server/jobs/job_memory.h"

#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "server/runtime/reasons.h"
#include "server/runtime/work_memory.h"

namespace superpose {
namespace {

bool IsOrBelongsTo(const std::string& name, const std::string& resource) {
  return name == resource || absl::StartsWith(name, absl::StrCat(resource, "/"));
}

bool Uses(const v1::Job& job, const std::string& resource, MidcoderStore* midcoders) {
  for (const std::string& name : job.train_midcoder().transcoders()) {
    if (IsOrBelongsTo(name, resource)) return true;
  }
  if (!job.has_evaluate_midcoder()) return false;
  const auto midcoder = midcoders->Get(job.evaluate_midcoder().midcoder());
  return midcoder.ok() && IsOrBelongsTo(midcoder->provenance().transcoder(), resource);
}

}  // namespace

absl::StatusOr<MemoryEstimate> EstimateJobMemory(const v1::Job& job, const JobParts& parts) {
  if (job.has_train_midcoder()) return EstimateTraining(*parts.registry, job.train_midcoder());
  if (!job.has_evaluate_midcoder()) return MemoryEstimate();
  SUPERPOSE_ASSIGN_OR_RETURN(const v1::Midcoder midcoder, parts.midcoders->Get(job.evaluate_midcoder().midcoder()));
  return EstimateEvaluation(*parts.registry, midcoder, job.evaluate_midcoder());
}

absl::Status CheckNoJobUses(const std::string& resource, JobStore* jobs, MidcoderStore* midcoders) {
  SUPERPOSE_ASSIGN_OR_RETURN(const std::vector<ActiveJob> active, jobs->Active());
  std::vector<std::string> users;
  for (const ActiveJob& one : active) {
    const auto job = jobs->Get(one.name);
    if (job.ok() && Uses(*job, resource, midcoders)) users.push_back(one.name);
  }
  if (users.empty()) return absl::OkStatus();
  return FailedPrecondition(reason::kResourceInUse, resource, " is used by ", absl::StrJoin(users, ", "),
                            ": wait for their end, or cancel them");
}

}  // namespace superpose
