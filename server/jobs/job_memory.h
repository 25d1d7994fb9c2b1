#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "lib/base/memory_estimate.h"
#include "server/jobs/job_parts.h"
#include "superpose/v1/job.pb.h"

namespace superpose {

// What a job takes while it runs. Errors when what its spec names is not there any more.
absl::StatusOr<MemoryEstimate> EstimateJobMemory(const v1::Job& job, const JobParts& parts);

// FAILED_PRECONDITION / RESOURCE_IN_USE, with the jobs' names, while a queued or running job uses `resource`,
// "models/{model}" or "models/{model}/transcoders/{id}". Blocks on disk.
struct ArtifactStores {
  MidcoderStore* midcoders = nullptr;
  SnapshotStore* snapshots = nullptr;
};
absl::Status CheckNoJobUses(const std::string& resource, JobStore* jobs, const ArtifactStores& stores);

// The same for "snapshots/{snapshot}" and "factorizations/{factorization}" while a job merges or analyses it, takes
// directions from it, or begins with it.
absl::Status CheckNoJobReads(const std::string& artifact, JobStore* jobs);

}  // namespace superpose
