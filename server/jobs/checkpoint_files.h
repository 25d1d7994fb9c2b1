#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "lib/tensor_io/safetensors.h"

namespace superpose {

// The checkpoints of one job: files checkpoint-{step}.safetensors in its folder, the newest two kept. Errors beside
// those named: those of SystemError (storage_error.h).
class CheckpointFiles {
 public:
  explicit CheckpointFiles(std::string folder) : folder_(std::move(folder)) {}

  // Makes the folder. Where writing fails, the older ones stay; else the one before, and none of a later step.
  // STORAGE_FULL, also before it begins when the file would not fit; errors of WriteSafetensors.
  absl::Status Write(int64_t step, const TensorMap& tensors, const StringMap& metadata,
                     const KeepWriting& keep_writing = nullptr) const;
  // Paths, newest first; none without the folder.
  absl::StatusOr<std::vector<std::string>> NewestFirst() const;

 private:
  const std::string folder_;
};

}  // namespace superpose
