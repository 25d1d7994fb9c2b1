#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "server/jobs/midcoder_store.h"
#include "server/jobs/snapshot_store.h"
#include "server/runtime/device_executor.h"
#include "server/runtime/model_registry.h"
#include "server/services/tensor_selection.h"

namespace superpose {

// Finds what is asked for of any artifact's tensor, by resource name. Blocks on disk and, for tensors on an
// accelerator, on `executor`.
class TensorSource {
 public:
  TensorSource(const ModelRegistry* registry, MidcoderStore* midcoders, SnapshotStore* snapshots,
               DeviceExecutor* executor)
      : registry_(registry), midcoders_(midcoders), snapshots_(snapshots), executor_(executor) {}

  // TENSOR_MISSING lists names that there are; errors of the resource; NAME_INVALID; SLICE_OUT_OF_RANGE.
  absl::StatusOr<TensorSelection> Select(const std::string& resource, const std::string& tensor,
                                         const DimensionSlices& slices) const;

 private:
  absl::StatusOr<TensorMap> TensorsOf(const std::string& resource) const;

  const ModelRegistry* const registry_;
  MidcoderStore* const midcoders_;
  SnapshotStore* const snapshots_;
  DeviceExecutor* const executor_;
};

}  // namespace superpose
