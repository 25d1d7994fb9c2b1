#include "server/runtime/work_memory.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "lib/base/status_macros.h"
#include "lib/midcoder/midcoder_memory.h"
#include "server/runtime/memory_budget.h"
#include "server/runtime/midcoder_specs.h"

namespace superpose {
namespace {

// Everything that the estimate of a training is made from, found once.
struct Training {
  ModelHandle model;
  TrainerConfig config;
  int64_t context_length = 0;
  std::vector<TranscoderShape> transcoders;

  MemoryEstimate Estimate(int64_t batch_size, int64_t layers) const {
    TrainerConfig smaller = config;
    smaller.batch_size = batch_size;
    if (smaller.statistics.has_value()) smaller.statistics->layers.resize(layers);
    const std::vector<TranscoderShape> first(transcoders.begin(), transcoders.begin() + layers);
    return EstimateMidcoderTraining(model->model->config(), smaller, context_length, first);
  }
};

absl::StatusOr<Training> FindTraining(const ModelRegistry& registry, const v1::MidcoderTrainingSpec& spec) {
  SUPERPOSE_ASSIGN_OR_RETURN(const TrainingHandles handles, FindTrainingHandles(registry, spec));
  SUPERPOSE_ASSIGN_OR_RETURN(TrainerConfig config, TrainerConfigFor(handles, spec));
  Training training{
      .model = handles.model, .config = std::move(config), .context_length = spec.context_length(), .transcoders = {}};
  for (const TranscoderHandle& transcoder : handles.transcoders) training.transcoders.push_back(ShapeOf(*transcoder));
  return training;
}

}  // namespace

TranscoderShape ShapeOf(const LoadedTranscoder& loaded) {
  return {.d_model = loaded.transcoder->d_model(),
          .d_sae = loaded.transcoder->d_sae(),
          .active_features = loaded.active_features};
}

absl::StatusOr<MemoryEstimate> EstimateTraining(const ModelRegistry& registry, const v1::MidcoderTrainingSpec& spec) {
  SUPERPOSE_ASSIGN_OR_RETURN(const Training training, FindTraining(registry, spec));
  return training.Estimate(spec.batch_size(), static_cast<int64_t>(training.transcoders.size()));
}

absl::StatusOr<MemoryEstimate> EstimateEvaluation(const ModelRegistry& registry, const v1::Midcoder& midcoder,
                                                  const v1::MidcoderEvaluationSpec& spec) {
  SUPERPOSE_ASSIGN_OR_RETURN(const EvaluationHandles handles, FindEvaluationHandles(registry, midcoder, spec));
  SUPERPOSE_ASSIGN_OR_RETURN(const auto sequences, SequencesFor(*handles.corpus, spec));
  const EvaluatorConfig config{.tokens = spec.tokens(), .batch_size = spec.batch_size(), .keep_bos = spec.keep_bos()};
  const EvaluationShape shape{
      .form = FormOf(midcoder.spec()), .context_length = sequences->length(), .sequence_count = sequences->count()};
  return EstimateMidcoderEvaluation(handles.model->model->config(), config, shape, ShapeOf(*handles.transcoder));
}

std::string TrainingThatFits(const ModelRegistry& registry, const v1::MidcoderTrainingSpec& spec, int64_t room) {
  const auto training = FindTraining(registry, spec);
  if (!training.ok()) return "";
  const auto layers = static_cast<int64_t>(training->transcoders.size());
  const int64_t batch = LargestThatFits(spec.batch_size(), room,
                                        [&](int64_t size) { return training->Estimate(size, layers).peak_bytes; });
  if (batch > 0) return absl::StrCat("batch_size ", batch, " would fit");
  const int64_t fewer =
      LargestThatFits(layers, room, [&](int64_t count) { return training->Estimate(1, count).peak_bytes; });
  if (fewer > 0) return absl::StrCat(fewer, " of the ", layers, " layers with batch_size 1 would fit");
  const std::string smallest = BytesInWords(training->Estimate(1, 1).peak_bytes);
  return absl::StrCat("one layer with batch_size 1 takes ", smallest,
                      " already: unload something, or raise memory_limit_bytes");
}

MemoryEstimate EstimateActivations(const LoadedModel& model, const std::vector<TranscoderHandle>& transcoders,
                                   const std::vector<int64_t>& lengths) {
  constexpr int64_t kCopiesOfAnswer = 2;
  std::vector<LayerShape> layers;
  for (const TranscoderHandle& transcoder : transcoders) {
    TranscoderShape shape = ShapeOf(*transcoder);
    shape.active_features = std::min(2 * shape.active_features, static_cast<double>(shape.d_sae));
    layers.push_back({transcoder->layer, shape});
  }
  MemoryEstimate estimate = EstimateFeatureActivations(model.model->config(), layers, lengths);
  const int64_t answer = kCopiesOfAnswer * estimate.held_bytes;
  return {.peak_bytes = std::max(estimate.peak_bytes, estimate.held_bytes + answer),
          .held_bytes = answer,
          .checkpoint_bytes = 0};
}

}  // namespace superpose
