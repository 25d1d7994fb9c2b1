#include "lib/midcoder/trainer_config.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <set>
#include <tuple>

#include "lib/base/error.h"
#include "lib/base/status_macros.h"

namespace superpose {
namespace {

template <typename Value>
absl::Status Require(bool right, const char* field, const Value& value, const char* wanted) {
  if (right) return absl::OkStatus();
  return InvalidArgument(reason::kConfigInvalid, field, " is ", value, "; it must be ", wanted);
}

absl::Status RequirePositive(int64_t value, const char* field) {
  return Require(value >= 1, field, value, "1 or more");
}

int64_t Product(int64_t a, int64_t b) {
  int64_t product = 0;
  return __builtin_mul_overflow(a, b, &product) ? std::numeric_limits<int64_t>::max() : product;
}

bool IsPositive(double value) { return std::isfinite(value) && value > 0; }
bool IsNotNegative(double value) { return std::isfinite(value) && value >= 0; }

absl::Status ValidateVariant(const TrainerVariant& variant) {
  SUPERPOSE_RETURN_IF_ERROR(Require(IsPositive(variant.lr), "lr", variant.lr, "a finite number above 0"));
  SUPERPOSE_RETURN_IF_ERROR(
      Require(IsNotNegative(variant.weight_decay), "weight_decay", variant.weight_decay, "a finite number, 0 or more"));
  SUPERPOSE_RETURN_IF_ERROR(
      Require(variant.lr * variant.weight_decay < 1, "weight_decay", variant.weight_decay, "under 1 / lr"));
  return Require(IsNotNegative(variant.mse_out_param), "mse_out_param", variant.mse_out_param,
                 "a finite number, 0 or more");
}

// No two midcoders of a layer may be bound to come out the same.
absl::Status ValidateSweep(const TrainerConfig& config) {
  std::set<std::tuple<double, double, double, uint64_t>> distinct;
  for (const TrainerVariant& variant : config.sweep) {
    const uint64_t seed = config.order == SequenceOrder::kShuffled ? variant.seed : 0;
    distinct.insert({variant.lr, variant.weight_decay, variant.mse_out_param, seed});
  }
  if (distinct.size() == config.sweep.size()) return absl::OkStatus();
  return InvalidArgument(
      reason::kConfigInvalid, "of the ", config.sweep.size(), " combinations to try only ", distinct.size(),
      " differ: name each value once, and seeds only with the order shuffled, which is all they change");
}

absl::Status ValidateStatistics(const TrainerConfig& config) {
  if (!config.statistics) return absl::OkStatus();
  if (!config.sweep.empty()) {
    return InvalidArgument(reason::kConfigInvalid,
                           "statistics are of one midcoder a layer; leave out either them or the settings to try");
  }
  const size_t count = config.statistics->layers.size();
  if (count == config.layers.size()) return absl::OkStatus();
  return InvalidArgument(reason::kConfigInvalid, "there are options of statistics for ", count, " layers, but ",
                         config.layers.size(), " layers; give options for each");
}

}  // namespace

std::vector<TrainerVariant> VariantsOf(const TrainerConfig& config) {
  if (!config.sweep.empty()) return config.sweep;
  return {{.lr = config.lr,
           .weight_decay = config.weight_decay,
           .mse_out_param = config.mse_out_param,
           .seed = config.seed}};
}

absl::Status ValidateTrainerConfig(const TrainerConfig& config) {
  SUPERPOSE_RETURN_IF_ERROR(RequirePositive(config.steps, "steps"));
  SUPERPOSE_RETURN_IF_ERROR(RequirePositive(config.batch_size, "batch_size"));
  SUPERPOSE_RETURN_IF_ERROR(RequirePositive(config.steps_per_epoch, "steps_per_epoch"));
  for (const TrainerVariant& variant : VariantsOf(config)) SUPERPOSE_RETURN_IF_ERROR(ValidateVariant(variant));
  SUPERPOSE_RETURN_IF_ERROR(Require(IsPositive(config.adam_eps) && static_cast<float>(config.adam_eps) >= 1e-37f,
                                    "adam_eps", config.adam_eps, "a finite number, 1e-37 or more"));
  SUPERPOSE_RETURN_IF_ERROR(ValidateSweep(config));
  const std::set<int64_t> distinct(config.layers.begin(), config.layers.end());
  if (config.layers.empty() || distinct.size() != config.layers.size()) {
    return InvalidArgument(reason::kConfigInvalid, "layers are ", config.layers.size(), " of which ", distinct.size(),
                           " are distinct; they must be one or more, each once");
  }
  return ValidateStatistics(config);
}

int64_t StepsForEpochs(int64_t epochs, int64_t steps_per_epoch) { return Product(epochs, steps_per_epoch); }

int64_t StepsForTrainTokens(int64_t train_tokens, int64_t context_length, int64_t batch_size, int64_t steps_per_epoch) {
  const int64_t most = std::numeric_limits<int64_t>::max() - 1;
  const int64_t epoch_tokens = Product(Product(context_length, batch_size), steps_per_epoch);
  const int64_t epochs = std::min(train_tokens, most) / epoch_tokens + 1;
  return StepsForEpochs(epochs, steps_per_epoch);
}

double LearningRate(const TrainerConfig& config, double lr, int64_t step) {
  const int64_t epochs = (config.steps + config.steps_per_epoch - 1) / config.steps_per_epoch;
  const int64_t epoch = step / config.steps_per_epoch;
  const double done = static_cast<double>(epoch) / static_cast<double>(epochs);
  return 0.5 * lr * (1 + std::cos(std::numbers::pi * done));
}

}  // namespace superpose
