// What a midcoder training job is told, and the arithmetic of its schedule.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "lib/corpus/corpus.h"
#include "lib/midcoder/midcoder.h"
#include "lib/statistics/statistics_options.h"

namespace superpose {

// The settings that a sweep varies.
struct TrainerVariant {
  double lr = 1e-3;
  double weight_decay = 1e-3;
  double mse_out_param = 1.0;
  uint64_t seed = 0;
};

// What is counted while the parameters move: each step's tokens, before the step's update.
struct TrainingStatistics {
  std::vector<StatisticsOptions> layers;  // one for each of the config's layers; gates are the midcoder's, always
  bool include_bos = false;
};

struct TrainerConfig {
  MidForm form = MidForm::kDMlp;
  MidGate gate = MidGate::kRelu;
  std::vector<int64_t> layers;  // one midcoder for each; all share one forward pass of the model
  int64_t steps = 1000;
  int64_t batch_size = 32;  // sequences
  int64_t steps_per_epoch = 10;
  double lr = 1e-3;
  double weight_decay = 1e-3;
  double adam_eps = 1e-8;
  double mse_out_param = 1.0;
  SequenceOrder order = SequenceOrder::kShuffled;
  uint64_t seed = 0;
  // Each trains a midcoder of its own for every layer, with these in place of the four settings above; empty: one
  // midcoder a layer, with those.
  std::vector<TrainerVariant> sweep = {};
  // Not together with a sweep.
  std::optional<TrainingStatistics> statistics = std::nullopt;
};

// What is trained for every layer: the sweep, or the config's own settings.
std::vector<TrainerVariant> VariantsOf(const TrainerConfig& config);

// CONFIG_INVALID says which field is wrong and what would be right. Whether the layers exist is the model's to say.
absl::Status ValidateTrainerConfig(const TrainerConfig& config);

// Steps of so many schedule epochs. Here and below counts are 1 or more, and what does not fit becomes the largest
// int64, which no check of a number of steps lets pass.
int64_t StepsForEpochs(int64_t epochs, int64_t steps_per_epoch);
// The reference's count: int(train_tokens / (context_length * batch_size * steps_per_epoch)) + 1 epochs, which always
// overshoots.
int64_t StepsForTrainTokens(int64_t train_tokens, int64_t context_length, int64_t batch_size, int64_t steps_per_epoch);

// Learning rate of step `step` (from 0) that starts at `lr`: lr / 2 (1 + cos(pi e / E)), e = floor(step /
// steps_per_epoch), E = ceil(steps / steps_per_epoch).
double LearningRate(const TrainerConfig& config, double lr, int64_t step);

}  // namespace superpose
