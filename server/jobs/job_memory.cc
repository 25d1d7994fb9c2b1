#include "server/jobs/job_memory.h"

#include <algorithm>
#include <functional>
#include <memory>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "server/analysis/analysis_subject.h"
#include "server/analysis/stored_analysis.h"
#include "server/jobs/factorization_specs.h"
#include "server/jobs/merge_work.h"
#include "server/jobs/snapshot_comparison.h"
#include "server/jobs/statistics_work.h"
#include "server/runtime/reasons.h"
#include "server/runtime/statistics_memory.h"
#include "server/runtime/work_memory.h"

namespace superpose {
namespace {

bool IsOrBelongsTo(const std::string& name, const std::string& resource) {
  return name == resource || absl::StartsWith(name, absl::StrCat(resource, "/"));
}

// Names: a list of std::string.
template <typename Names>
bool AnyBelongsTo(const Names& names, const std::string& resource) {
  return std::any_of(names.begin(), names.end(),
                     [&resource](const std::string& name) { return IsOrBelongsTo(name, resource); });
}

std::vector<std::string> FactorizationResources(const v1::FactorizationSpec& spec) {
  std::vector<std::string> names = ResourcesOf(spec.directions());
  if (!spec.start().empty()) names.push_back(spec.start());
  return names;
}

// The artifacts that a job reads while it runs, snapshots and factorizations, and the transcoders whose directions it
// works with.
std::vector<std::string> ResourcesReadBy(const v1::Job& job) {
  switch (job.spec_case()) {
    case v1::Job::kMergeSnapshots:
      return {job.merge_snapshots().snapshots().begin(), job.merge_snapshots().snapshots().end()};
    case v1::Job::kAnalyzeSnapshot:
      return ResourcesOf(job.analyze_snapshot());
    case v1::Job::kFactorizeDecoders:
      return FactorizationResources(job.factorize_decoders());
    default:
      return {};
  }
}

// The transcoder that an artifact was made with; "" where it is gone.
template <typename Artifact>
std::string TranscoderOf(const absl::StatusOr<Artifact>& artifact) {
  return artifact.ok() ? artifact->provenance().transcoder() : "";
}

bool Uses(const v1::Job& job, const std::string& resource, const ArtifactStores& stores) {
  switch (job.spec_case()) {
    case v1::Job::kTrainMidcoder:
      return AnyBelongsTo(job.train_midcoder().transcoders(), resource);
    case v1::Job::kCollectStatistics:
      return AnyBelongsTo(job.collect_statistics().transcoders(), resource);
    case v1::Job::kEvaluateMidcoder:
      return IsOrBelongsTo(TranscoderOf(stores.midcoders->Get(job.evaluate_midcoder().midcoder())), resource);
    case v1::Job::kAnalyzeSnapshot:
      return AnyBelongsTo(ResourcesReadBy(job), resource) ||
             IsOrBelongsTo(TranscoderOf(stores.snapshots->Get(job.analyze_snapshot().snapshot())), resource);
    case v1::Job::kFactorizeDecoders:
      return AnyBelongsTo(ResourcesReadBy(job), resource);
    default:
      return false;
  }
}

bool Reads(const v1::Job& job, const std::string& artifact) {
  const std::vector<std::string> names = ResourcesReadBy(job);
  return std::find(names.begin(), names.end(), artifact) != names.end();
}

absl::Status CheckNoJob(const std::string& resource, JobStore* jobs,
                        const std::function<bool(const v1::Job& job)>& uses) {
  SUPERPOSE_ASSIGN_OR_RETURN(const std::vector<ActiveJob> active, jobs->Active());
  std::vector<std::string> users;
  for (const ActiveJob& one : active) {
    const auto job = jobs->Get(one.name);
    if (job.ok() && uses(*job)) users.push_back(one.name);
  }
  if (users.empty()) return absl::OkStatus();
  return FailedPrecondition(reason::kResourceInUse, resource, " is used by ", absl::StrJoin(users, ", "),
                            ": wait for their end, or cancel them");
}

absl::StatusOr<MemoryEstimate> EstimateCollectionJob(const v1::StatisticsSpec& spec, const JobParts& parts) {
  SUPERPOSE_ASSIGN_OR_RETURN(const std::vector<v1::Midcoder> midcoders, MidcodersOf(parts.midcoders, spec));
  return EstimateCollection(*parts.registry, midcoders, spec);
}

// The merged tensors; those of the parts stay mapped.
absl::StatusOr<MemoryEstimate> EstimateMerge(const v1::MergeSpec& spec, const JobParts& parts) {
  SUPERPOSE_ASSIGN_OR_RETURN(const std::vector<v1::Snapshot> snapshots, SnapshotsToMerge(parts.snapshots, spec));
  return MemoryEstimate{.peak_bytes = BytesOfTensors(snapshots.front())};
}

}  // namespace

absl::StatusOr<MemoryEstimate> EstimateJobMemory(const v1::Job& job, const JobParts& parts) {
  switch (job.spec_case()) {
    case v1::Job::kTrainMidcoder:
      return EstimateTraining(*parts.registry, job.train_midcoder());
    case v1::Job::kEvaluateMidcoder: {
      SUPERPOSE_ASSIGN_OR_RETURN(const v1::Midcoder midcoder, parts.midcoders->Get(job.evaluate_midcoder().midcoder()));
      return EstimateEvaluation(*parts.registry, midcoder, job.evaluate_midcoder());
    }
    case v1::Job::kCollectStatistics:
      return EstimateCollectionJob(job.collect_statistics(), parts);
    case v1::Job::kMergeSnapshots:
      return EstimateMerge(job.merge_snapshots(), parts);
    case v1::Job::kAnalyzeSnapshot:
      return EstimateAnalysis(job.analyze_snapshot(), SourcesOf(parts));
    case v1::Job::kFactorizeDecoders: {
      SUPERPOSE_ASSIGN_OR_RETURN(const FactorizationJobEstimate estimate,
                                 EstimateFactorizationJob(SourcesOf(parts), job.factorize_decoders()));
      return estimate.memory;
    }
    default:
      return MemoryEstimate();
  }
}

absl::Status CheckNoJobUses(const std::string& resource, JobStore* jobs, const ArtifactStores& stores) {
  return CheckNoJob(resource, jobs, [&](const v1::Job& job) { return Uses(job, resource, stores); });
}

absl::Status CheckNoJobReads(const std::string& artifact, JobStore* jobs) {
  return CheckNoJob(artifact, jobs, [&artifact](const v1::Job& job) { return Reads(job, artifact); });
}

}  // namespace superpose
