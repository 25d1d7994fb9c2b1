#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "lib/tensor_io/safetensors.h"

namespace superpose {

// The checkpoints of one job: files checkpoint-{step}.safetensors in its folder, the newest two kept. Errors:
// FILE_WRITE_FAILED.
class CheckpointFiles {
 public:
  explicit CheckpointFiles(std::string folder) : folder_(std::move(folder)) {}

  // Makes the folder. Where writing fails, the older ones stay; else the one before, and none of a later step.
  absl::Status Write(int64_t step, const TensorMap& tensors, const StringMap& metadata) const;
  // Paths, newest first.
  std::vector<std::string> NewestFirst() const;

 private:
  const std::string folder_;
};

}  // namespace superpose
