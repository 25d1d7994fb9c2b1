#include "lib/midcoder/statistics_checkpoint.h"

#include <ATen/ATen.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "lib/base/status_macros.h"
#include "lib/midcoder/checkpoint_checks.h"
#include "lib/statistics/options_identity.h"
#include "lib/statistics/snapshot_layout.h"

namespace superpose {

absl::StatusOr<LayerSums> CreateSums(std::string name, const StatisticsShape& shape, StatisticsOptions options,
                                     bool has_midcoder, at::Device device) {
  options.groups.insert(StatisticsGroup::kFeatures);
  SUPERPOSE_ASSIGN_OR_RETURN(auto statistics, LayerStatistics::Create(shape, options, has_midcoder, device));
  return LayerSums{.name = std::move(name),
                   .shape = shape,
                   .options = std::move(options),
                   .has_midcoder = has_midcoder,
                   .statistics = std::move(statistics)};
}

StringMap IdentityOfSums(const std::vector<LayerSums>& sums) {
  StringMap identity;
  for (const LayerSums& layer : sums) identity["config." + layer.name] = IdentityOf(layer.options);
  return identity;
}

TensorMap CheckpointOfSums(const std::vector<LayerSums>& sums) {
  TensorMap tensors;
  for (const LayerSums& layer : sums) {
    for (const auto& [name, tensor] : layer.statistics->Tensors())
      tensors[absl::StrCat(layer.name, ".", name)] = tensor;
  }
  return tensors;
}

absl::Status CheckSums(const std::vector<LayerSums>& sums, const TensorMap& tensors) {
  for (const LayerSums& layer : sums) {
    for (const SnapshotTensor& wanted : SnapshotTensors(layer.shape, layer.options, layer.has_midcoder)) {
      SUPERPOSE_RETURN_IF_ERROR(
          CheckCheckpointTensor(tensors, absl::StrCat(layer.name, ".", wanted.name), wanted.dtype, wanted.shape));
    }
  }
  return absl::OkStatus();
}

absl::Status RestoreSums(const std::vector<LayerSums>& sums, const TensorMap& tensors) {
  for (const LayerSums& layer : sums) {
    while (!layer.statistics->idle()) layer.statistics->RunUnit();
    TensorMap own;
    for (const SnapshotTensor& wanted : SnapshotTensors(layer.shape, layer.options, layer.has_midcoder)) {
      own[wanted.name] = tensors.at(absl::StrCat(layer.name, ".", wanted.name));
    }
    SUPERPOSE_RETURN_IF_ERROR(layer.statistics->Restore(own));
  }
  return absl::OkStatus();
}

int64_t CheckpointBytes(const StatisticsShape& shape, const StatisticsOptions& options, bool has_midcoder) {
  int64_t bytes = 0;
  for (const SnapshotTensor& tensor : SnapshotTensors(shape, options, has_midcoder)) {
    bytes += c10::multiply_integers(tensor.shape) * static_cast<int64_t>(c10::elementSize(tensor.dtype));
  }
  return bytes;
}

}  // namespace superpose
