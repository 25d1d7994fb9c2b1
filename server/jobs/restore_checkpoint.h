#pragma once

#include <functional>

#include "absl/status/status.h"
#include "lib/tensor_io/safetensors.h"
#include "server/jobs/checkpoint_files.h"

namespace superpose {

// Restores the newest checkpoint that is whole; OK where there is none. One that is damaged is passed over, for which
// `restore` must leave things as they were; any other error of it, such as INPUT_CHANGED, is returned.
absl::Status RestoreCheckpoint(const CheckpointFiles& checkpoints,
                               const std::function<absl::Status(const SafetensorsFile& file)>& restore);

}  // namespace superpose
