#include "server/runtime/statistics_memory.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "lib/base/status_macros.h"
#include "lib/midcoder/midcoder_memory.h"
#include "lib/statistics/collector.h"
#include "lib/statistics/snapshot_layout.h"
#include "server/runtime/memory_budget.h"
#include "server/runtime/midcoder_specs.h"
#include "server/runtime/statistics_specs.h"
#include "server/runtime/work_memory.h"

namespace superpose {
namespace {

// Everything that the estimate of a collection is made from, found once.
struct Collection {
  ModelHandle model;
  CollectorConfig config;
  int64_t context_length = 0;
  std::vector<CollectedShape> layers;

  MemoryEstimate Estimate() const { return EstimateCollecting(model->model->config(), layers, context_length, config); }
};

absl::StatusOr<Collection> FindCollection(const ModelRegistry& registry, const std::vector<v1::Midcoder>& midcoders,
                                          const v1::StatisticsSpec& spec) {
  SUPERPOSE_ASSIGN_OR_RETURN(const TrainingHandles handles, FindStatisticsHandles(registry, spec, midcoders));
  Collection collection{.model = handles.model,
                        .config = CollectorConfigFor(spec),
                        .context_length = spec.context_length(),
                        .layers = {}};
  const GateSource gate = spec.gate() == v1::GATE_SOURCE_MIDCODER ? GateSource::kMidcoder : GateSource::kModel;
  for (size_t i = 0; i < handles.transcoders.size(); ++i) {
    CollectedShape layer{.transcoder = ShapeOf(*handles.transcoders[i]), .midcoder = {}, .options = {}};
    if (!midcoders.empty()) layer.midcoder = FormOf(midcoders[i].spec());
    SUPERPOSE_ASSIGN_OR_RETURN(layer.options,
                               StatisticsOptionsFor(spec.options(), *handles.transcoders[i]->transcoder, gate));
    collection.layers.push_back(std::move(layer));
  }
  return collection;
}

int64_t BytesOf(const SnapshotTensor& tensor) {
  int64_t bytes = static_cast<int64_t>(c10::elementSize(tensor.dtype));
  for (const int64_t size : tensor.shape) bytes *= size;
  return bytes;
}

bool FitsWithout(Collection collection, const std::vector<StatisticsGroup>& groups, int64_t room) {
  for (CollectedShape& layer : collection.layers) {
    for (const StatisticsGroup group : groups) layer.options.groups.erase(group);
  }
  return collection.Estimate().peak_bytes <= room;
}

// With so many features, whichever.
bool FitsWithFeatures(Collection collection, int64_t features, int64_t room) {
  for (CollectedShape& layer : collection.layers) {
    layer.options.feature_ids = at::arange(std::min(features, layer.transcoder.d_sae));
    layer.options.pair_ids = at::Tensor();
  }
  return collection.Estimate().peak_bytes <= room;
}

}  // namespace

absl::StatusOr<MemoryEstimate> EstimateCollection(const ModelRegistry& registry,
                                                  const std::vector<v1::Midcoder>& midcoders,
                                                  const v1::StatisticsSpec& spec) {
  SUPERPOSE_ASSIGN_OR_RETURN(const Collection collection, FindCollection(registry, midcoders, spec));
  return collection.Estimate();
}

absl::StatusOr<int64_t> EstimateSnapshotBytes(const ModelRegistry& registry, const std::vector<v1::Midcoder>& midcoders,
                                              const v1::StatisticsSpec& spec) {
  SUPERPOSE_ASSIGN_OR_RETURN(const Collection collection, FindCollection(registry, midcoders, spec));
  const ModelConfig& model = collection.model->model->config();
  int64_t bytes = 0;
  for (const CollectedShape& layer : collection.layers) {
    const StatisticsShape shape{.d_sae = layer.transcoder.d_sae, .d_mlp = model.d_mlp, .d_model = model.d_model};
    for (const SnapshotTensor& tensor : SnapshotTensors(shape, layer.options, layer.midcoder.has_value())) {
      bytes += BytesOf(tensor);
    }
    if (layer.midcoder.has_value()) bytes += MidcoderBytes(model, layer.transcoder, *layer.midcoder);
  }
  return bytes;
}

std::string CollectionThatFits(const ModelRegistry& registry, const std::vector<v1::Midcoder>& midcoders,
                               const v1::StatisticsSpec& spec, int64_t room) {
  const auto collection = FindCollection(registry, midcoders, spec);
  if (!collection.ok()) return "";
  if (FitsWithout(*collection, {StatisticsGroup::kPairs}, room)) {
    return "it would fit without PAIRS, or with pair_features that choose fewer";
  }
  int64_t features = 1 << 20;
  while (features > 0 && !FitsWithFeatures(*collection, features, room)) features /= 2;
  if (features > 0) return absl::StrCat(features, " features of each transcoder would fit");
  if (FitsWithout(*collection,
                  {StatisticsGroup::kPairs, StatisticsGroup::kGates, StatisticsGroup::kPreActivations,
                   StatisticsGroup::kOutputs, StatisticsGroup::kUnits},
                  room)) {
    return "the group FEATURES alone would fit";
  }
  return "unload something, take a smaller batch_size, or raise memory_limit_bytes";
}

}  // namespace superpose
