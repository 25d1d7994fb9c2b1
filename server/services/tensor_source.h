#pragma once

#include <ATen/core/Tensor.h>

#include <string>

#include "absl/status/statusor.h"
#include "server/jobs/midcoder_store.h"
#include "server/runtime/device_executor.h"
#include "server/runtime/model_registry.h"

namespace superpose {

// Finds any artifact's tensor by resource name. Blocks on disk and, for tensors on an accelerator, on `executor`.
class TensorSource {
 public:
  TensorSource(const ModelRegistry* registry, MidcoderStore* midcoders, DeviceExecutor* executor)
      : registry_(registry), midcoders_(midcoders), executor_(executor) {}

  // On the CPU, and not to be written to. TENSOR_MISSING lists the names that there are; errors of the resource;
  // NAME_INVALID.
  absl::StatusOr<at::Tensor> Find(const std::string& resource, const std::string& tensor) const;

 private:
  absl::StatusOr<TensorMap> TensorsOf(const std::string& resource) const;

  const ModelRegistry* const registry_;
  MidcoderStore* const midcoders_;
  DeviceExecutor* const executor_;
};

}  // namespace superpose
