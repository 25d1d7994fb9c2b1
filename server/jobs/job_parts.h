#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "server/analysis/analysis_sources.h"
#include "server/jobs/data_folder.h"
#include "server/jobs/factorization_store.h"
#include "server/jobs/job_store.h"
#include "server/jobs/job_work.h"
#include "server/jobs/midcoder_store.h"
#include "server/jobs/snapshot_store.h"
#include "server/runtime/clock.h"
#include "server/runtime/device_executor.h"
#include "server/runtime/memory_budget.h"
#include "server/runtime/model_registry.h"
#include "server/telemetry/metrics.h"

namespace superpose {

// What jobs are made of. All must outlive whoever is given them.
struct JobParts {
  JobStore* store = nullptr;
  MidcoderStore* midcoders = nullptr;
  SnapshotStore* snapshots = nullptr;
  FactorizationStore* factorizations = nullptr;
  const DataFolder* folder = nullptr;
  const ModelRegistry* registry = nullptr;
  DeviceExecutor* executor = nullptr;
  const Clock* clock = nullptr;
  Metrics* metrics = nullptr;
  MemoryBudget* budget = nullptr;  // null: without limit
};

// What of them questions are asked of, and directions come from.
inline AnalysisSources SourcesOf(const JobParts& parts) {
  return {.registry = parts.registry, .snapshots = parts.snapshots, .factorizations = parts.factorizations};
}

// The work of a job, by its kind. Errors when what its spec names is not there any more.
absl::StatusOr<std::unique_ptr<JobWork>> MakeJobWork(const v1::Job& job, const JobParts& parts);

}  // namespace superpose
