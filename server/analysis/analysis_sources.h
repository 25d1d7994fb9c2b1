#pragma once

#include "server/jobs/factorization_store.h"
#include "server/jobs/snapshot_store.h"
#include "server/runtime/model_registry.h"

namespace superpose {

// What questions are asked of. All must outlive whoever is given them.
struct AnalysisSources {
  const ModelRegistry* registry = nullptr;
  SnapshotStore* snapshots = nullptr;
  FactorizationStore* factorizations = nullptr;
};

}  // namespace superpose
