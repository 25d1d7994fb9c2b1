#include <algorithm>

#include "lib/factorization/factorization_quality.h"
#include "lib/statistics/analysis/row_blocks.h"

namespace superpose {
namespace {

constexpr int64_t kIdBytes = 8;

// What an explanation keeps.
int64_t ExplanationBytes(const ExplainRule& rule, int64_t directions, int64_t decoders) {
  const int64_t codes = rule.form == FactorForm::kTopK ? std::min(rule.codes, directions) : 0;
  return decoders * (2 * kFloatBytes + kIdBytes + 2 * codes * kFloatBytes) + directions * kIdBytes;
}

// What an explainer takes beside that: its room, and what passes.
int64_t ExplainerBytes(const ExplainRule& rule, int64_t directions, int64_t decoders, int64_t d) {
  const int64_t rows = std::min(kFactorTile, decoders), tile = rows * std::min(kFactorTile, directions);
  // What is above theta is a tile of bool, and of int64 while it is summed.
  if (rule.form == FactorForm::kGram) return kFloatBytes * (tile + rows * d) + tile + kIdBytes * tile;
  const int64_t codes = std::min(rule.codes, directions);
  return kFloatBytes * (tile + rows * (d + 2 * codes + 2)) + kDoubleBytes * rows * (codes * codes + codes + 1);
}

}  // namespace

MemoryEstimate EstimateQuality(const ExplainRule& rule, int64_t factors, int64_t decoders, int64_t held_out,
                               int64_t d) {
  const int64_t all = factors + decoders + held_out, most = std::max(decoders, held_out);
  const int64_t centres = std::min(factors, decoders), block = std::min(kFactorTile, factors);
  const int64_t units = kFloatBytes * all * d;
  MemoryEstimate estimate;
  estimate.held_bytes = units + ExplanationBytes(rule, factors, decoders) +
                        (held_out > 0 ? ExplanationBytes(rule, factors, held_out) : 0) +
                        factors * (kIdBytes + 2 * kFloatBytes) + kSimilarityBins * kIdBytes;
  const int64_t scanning = block * block * (kFloatBytes + 1);
  const int64_t means =
      kFloatBytes * (2 * centres * d + std::min(kFactorTile, decoders) * std::min(kFactorTile, centres)) +
      decoders * (kIdBytes + kFloatBytes);
  const int64_t moving = kFloatBytes * centres * d;  // the centres that moved, before they take the others' place
  const int64_t explaining_baseline =
      kFloatBytes * centres * d + ExplanationBytes(rule, centres, most) + ExplainerBytes(rule, centres, most, d);
  const int64_t principal = 4 * kDoubleBytes * d * d;
  const int64_t explaining = ExplainerBytes(rule, factors, most, d);
  const int64_t taking_lengths = units + kDoubleBytes * 2 * std::min(kUnitEntries, most * d);
  estimate.peak_bytes =
      std::max(taking_lengths,
               estimate.held_bytes + std::max({scanning, means + moving, explaining_baseline, principal, explaining}));
  return estimate;
}

}  // namespace superpose
