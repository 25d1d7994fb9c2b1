// The sums of the layers of a run, and how its checkpoints keep them.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "lib/statistics/layer_statistics.h"
#include "lib/statistics/statistics_options.h"
#include "lib/tensor_io/safetensors.h"

namespace superpose {

// The sums of one layer and what they are of.
struct LayerSums {
  std::string name;  // of the layer in a checkpoint: its tensors are "<name>.<tensor>"
  StatisticsShape shape;
  StatisticsOptions options;
  bool has_midcoder = false;
  std::unique_ptr<LayerStatistics> statistics;  // made by CreateSums
};

// FEATURES is added to the groups. The errors of LayerStatistics::Create.
absl::StatusOr<LayerSums> CreateSums(std::string name, const StatisticsShape& shape, StatisticsOptions options,
                                     bool has_midcoder, at::Device device);

// As metadata of a checkpoint: "config.<name>" says what is collected.
StringMap IdentityOfSums(const std::vector<LayerSums>& sums);
// Only when all are idle. May throw what LibTorch throws.
TensorMap CheckpointOfSums(const std::vector<LayerSums>& sums);
// TENSOR_MISSING, TENSOR_SHAPE_MISMATCH, TENSOR_NOT_FINITE. May throw what LibTorch throws.
absl::Status CheckSums(const std::vector<LayerSums>& sums, const TensorMap& tensors);
// Of tensors that CheckSums took. A batch under way is dropped. May throw what LibTorch throws.
absl::Status RestoreSums(const std::vector<LayerSums>& sums, const TensorMap& tensors);

// Bytes of the tensors that one layer adds to a checkpoint.
int64_t CheckpointBytes(const StatisticsShape& shape, const StatisticsOptions& options, bool has_midcoder);

}  // namespace superpose
