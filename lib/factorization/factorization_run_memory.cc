#include <algorithm>

#include "lib/factorization/factorization_run.h"

namespace superpose {
namespace {

constexpr int64_t kIdBytes = 8;
constexpr int64_t kLossColumns = 5;

}  // namespace

MemoryEstimate EstimateFactorizationRun(const FactorizationRunConfig& config, int64_t directions, int64_t d) {
  const FactorizerConfig& fitted = config.factorizer;
  const int64_t held_out = HeldOutCount(directions, config.held_out_share);
  const int64_t decoders = directions - held_out, m = fitted.factors;
  const int64_t rows = kFloatBytes * directions * d, parameter = kFloatBytes * m * d;
  const int64_t steps = FactorSteps(fitted, decoders);  // of the first fit, whose losses are kept
  const int64_t losses = static_cast<int64_t>(sizeof(FactorizerLoss)) * steps;
  const int64_t history = kDoubleBytes * kLossColumns * steps;  // the losses in a checkpoint
  const int64_t match = m * (kIdBytes + kFloatBytes), tile = std::min(kFactorTile, m);
  const bool fits = fitted.epochs > 0, others = config.stability_runs > 0;
  const int64_t finished = others ? parameter + config.stability_runs * match : 0;

  const MemoryEstimate fitting = EstimateFactorization(fitted, decoders, d);
  const MemoryEstimate measuring =
      EstimateQuality({.form = fitted.form, .codes = fitted.codes, .theta = fitted.theta}, m, decoders, held_out, d);
  const int64_t fit_peak = fits ? fitting.peak_bytes + finished : 0;
  const int64_t fit_held = fits ? fitting.held_bytes + finished : 0;
  const int64_t match_held = others ? finished + 2 * parameter + 2 * match + kFloatBytes * tile * tile : 0;
  const int64_t match_peak = others ? match_held + parameter : 0;
  // With the parameter and its rows at length 1.
  const int64_t measured = 2 * parameter + (others ? config.stability_runs * match : 0);
  MemoryEstimate estimate;
  const int64_t fit_most = std::max(fit_peak, fit_held + history);
  const int64_t measuring_most = measured + std::max(measuring.peak_bytes, measuring.held_bytes + history);
  // At the start the directions are there at length 1, and again in the order of the split.
  estimate.peak_bytes = std::max(2 * rows, rows + losses + std::max({fit_most, match_peak, measuring_most}));
  estimate.held_bytes = rows + losses + std::max({fit_held, match_held, measured + measuring.held_bytes});
  estimate.checkpoint_bytes = (fits ? fitting.checkpoint_bytes : parameter) + finished + history;
  return estimate;
}

}  // namespace superpose
