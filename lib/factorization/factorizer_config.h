// What a factorization is told, and the arithmetic of its schedule.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "absl/status/status.h"

namespace superpose {

// How factors explain decoders; README.md compares them.
enum class FactorForm {
  kTopK,  // at most `codes` factors a decoder, with free magnitudes
  kGram,  // the reference's: the similarities of decoders, not the decoders themselves
};

enum class FactorSchedule {
  kCosine,     // once down over all steps, which is what the reference meant
  kReference,  // what the reference does: stepped per batch with a period of 2 * epochs steps
};

inline constexpr int64_t kMostFactorCodes = 64;

struct FactorizerConfig {
  FactorForm form = FactorForm::kTopK;
  int64_t factors = 10'000;
  int64_t codes = 5;                   // most factors of a decoder, kMostFactorCodes at most; form topk only
  double theta = 0.3;                  // similarities below it weigh little
  std::optional<double> factor_param;  // weight of the factors' own term; absent: 0 (topk), 0.5 (gram)
  int64_t epochs = 100;
  int64_t batch_size = 1000;  // decoders; an epoch's last batch may be shorter
  std::optional<double> lr;   // absent: 1e-2 (topk), 1e-3 (gram)
  double weight_decay = 0;
  double adam_eps = 1e-8;
  FactorSchedule schedule = FactorSchedule::kCosine;
  uint64_t seed = 0;  // of the start and the orders
};

// CONFIG_INVALID says which field is wrong and what would be right.
absl::Status ValidateFactorizerConfig(const FactorizerConfig& config);

// What a resumed fit must share with the one that wrote its checkpoint: "config.{field}" and its exact value.
std::map<std::string, std::string> FactorizerIdentity(const FactorizerConfig& config);

double LrOf(const FactorizerConfig& config);
double FactorParamOf(const FactorizerConfig& config);

// Batches of an epoch over so many decoders, and steps in all.
int64_t FactorStepsPerEpoch(const FactorizerConfig& config, int64_t decoders);
int64_t FactorSteps(const FactorizerConfig& config, int64_t decoders);

// Learning rate of step `step` (from 0) of `steps`: lr / 2 (1 + cos(pi step / T)) with T = steps (kCosine) or T =
// epochs (kReference), where it is 0 at step T, back at lr at step 2 T, and so on.
double FactorLearningRate(const FactorizerConfig& config, int64_t steps, int64_t step);

}  // namespace superpose
