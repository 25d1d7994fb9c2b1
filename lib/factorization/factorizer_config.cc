#include "lib/factorization/factorizer_config.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

#include "lib/base/error.h"
#include "lib/base/status_macros.h"

namespace superpose {
namespace {

// Ids of factors are kept in 32 bits.
constexpr int64_t kMostFactors = std::numeric_limits<int32_t>::max();
constexpr int64_t kMostEpochs = 1'000'000'000;

template <typename Value>
absl::Status Require(bool right, const char* field, const Value& value, const char* wanted) {
  if (right) return absl::OkStatus();
  return InvalidArgument(reason::kConfigInvalid, field, " is ", value, "; it must be ", wanted);
}

bool IsPositive(double value) { return std::isfinite(value) && value > 0; }
bool IsNotNegative(double value) { return std::isfinite(value) && value >= 0; }

absl::Status ValidateCounts(const FactorizerConfig& config) {
  SUPERPOSE_RETURN_IF_ERROR(Require(config.factors >= 1 && config.factors <= kMostFactors, "factors", config.factors,
                                    "1 or more, and less than 2^31"));
  SUPERPOSE_RETURN_IF_ERROR(Require(config.epochs >= 1 && config.epochs <= kMostEpochs, "epochs", config.epochs,
                                    "1 or more, and 10^9 at most"));
  SUPERPOSE_RETURN_IF_ERROR(Require(config.batch_size >= 1, "batch_size", config.batch_size, "1 or more"));
  if (config.form != FactorForm::kTopK) return absl::OkStatus();
  const int64_t most = std::min(kMostFactorCodes, config.factors);
  if (config.codes >= 1 && config.codes <= most) return absl::OkStatus();
  return InvalidArgument(reason::kConfigInvalid, "codes is ", config.codes, "; with ", config.factors,
                         " factors it must be 1 to ", most);
}

}  // namespace

double LrOf(const FactorizerConfig& config) {
  return config.lr.value_or(config.form == FactorForm::kTopK ? 1e-2 : 1e-3);
}

double FactorParamOf(const FactorizerConfig& config) {
  return config.factor_param.value_or(config.form == FactorForm::kTopK ? 0.0 : 0.5);
}

absl::Status ValidateFactorizerConfig(const FactorizerConfig& config) {
  SUPERPOSE_RETURN_IF_ERROR(ValidateCounts(config));
  const double lr = LrOf(config), factor_param = FactorParamOf(config);
  // (s / theta)^2 stays a float32.
  SUPERPOSE_RETURN_IF_ERROR(Require(IsPositive(config.theta) && config.theta >= 1e-15 && config.theta <= 1e15, "theta",
                                    config.theta, "above 0 (1e-15 to 1e15)"));
  SUPERPOSE_RETURN_IF_ERROR(
      Require(IsNotNegative(factor_param), "factor_param", factor_param, "a finite number, 0 or more"));
  SUPERPOSE_RETURN_IF_ERROR(Require(IsPositive(lr), "lr", lr, "a finite number above 0"));
  SUPERPOSE_RETURN_IF_ERROR(
      Require(IsNotNegative(config.weight_decay), "weight_decay", config.weight_decay, "a finite number, 0 or more"));
  SUPERPOSE_RETURN_IF_ERROR(Require(lr * config.weight_decay < 1, "weight_decay", config.weight_decay, "under 1 / lr"));
  return Require(IsPositive(config.adam_eps) && static_cast<float>(config.adam_eps) >= 1e-37f, "adam_eps",
                 config.adam_eps, "a finite number, 1e-37 or more");
}

int64_t FactorStepsPerEpoch(const FactorizerConfig& config, int64_t decoders) {
  return (decoders - 1) / config.batch_size + 1;
}

int64_t FactorSteps(const FactorizerConfig& config, int64_t decoders) {
  return config.epochs * FactorStepsPerEpoch(config, decoders);
}

double FactorLearningRate(const FactorizerConfig& config, int64_t steps, int64_t step) {
  const int64_t period = config.schedule == FactorSchedule::kCosine ? steps : config.epochs;
  const double done = static_cast<double>(step) / static_cast<double>(period);
  return 0.5 * LrOf(config) * (1 + std::cos(std::numbers::pi * done));
}

}  // namespace superpose
