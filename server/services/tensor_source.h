#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "server/jobs/data_folder.h"
#include "server/jobs/factorization_store.h"
#include "server/jobs/job_store.h"
#include "server/jobs/midcoder_store.h"
#include "server/jobs/snapshot_store.h"
#include "server/runtime/device_executor.h"
#include "server/runtime/memory_budget.h"
#include "server/runtime/model_registry.h"
#include "server/services/tensor_selection.h"

namespace superpose {

// Finds what is asked for of any artifact's tensor, by resource name. Blocks on disk and, for tensors on an
// accelerator, on `executor`.
class TensorSource {
 public:
  // All must outlive this.
  struct Parts {
    const ModelRegistry* registry = nullptr;
    const DataFolder* folder = nullptr;
    JobStore* jobs = nullptr;
    MidcoderStore* midcoders = nullptr;
    SnapshotStore* snapshots = nullptr;
    FactorizationStore* factorizations = nullptr;
    MemoryBudget* budget = nullptr;
    DeviceExecutor* executor = nullptr;
  };
  explicit TensorSource(const Parts& parts) : parts_(parts) {}

  // TENSOR_MISSING lists names that there are; errors of the resource; NAME_INVALID; SLICE_OUT_OF_RANGE; and, for
  // tensors on an accelerator, MEMORY_EXCEEDED.
  absl::StatusOr<TensorSelection> Select(const std::string& resource, const std::string& tensor,
                                         const DimensionSlices& slices) const;

 private:
  absl::StatusOr<TensorMap> TensorsOf(const std::string& resource) const;

  const Parts parts_;
};

}  // namespace superpose
