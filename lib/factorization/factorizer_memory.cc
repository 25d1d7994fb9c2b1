#include <algorithm>

#include "lib/factorization/factorizer.h"
#include "lib/statistics/analysis/row_blocks.h"

namespace superpose {
namespace {

constexpr int64_t kIdBytes = 8;

// What the decoder term holds.
int64_t DecoderTermBytes(const FactorizerConfig& config, int64_t batch, int64_t d) {
  const int64_t rows = std::min(kFactorTile, batch);
  if (config.form == FactorForm::kGram) return kFloatBytes * (2 * rows * rows + d * d + 2 * batch * d);
  const int64_t k = config.codes;
  return kFloatBytes * rows * (std::min(kFactorTile, config.factors) + d + 2 * k + 2) +
         kDoubleBytes * rows * (k * k + k + 1) + rows;
}

}  // namespace

MemoryEstimate EstimateFactorization(const FactorizerConfig& config, int64_t decoders, int64_t d) {
  const int64_t batch = std::min(config.batch_size, decoders), tile = std::min(kFactorTile, config.factors);
  const int64_t parameters = kFloatBytes * config.factors * d, directions = kFloatBytes * decoders * d;
  MemoryEstimate estimate;
  estimate.checkpoint_bytes = 3 * parameters;
  estimate.held_bytes = directions + 5 * parameters + kFloatBytes * (config.factors + batch * d) +
                        DecoderTermBytes(config, batch, d) +
                        (FactorParamOf(config) > 0 ? kFloatBytes * tile * tile : 0);
  const int64_t moment = config.form == FactorForm::kGram ? kFloatBytes * d * d : 0;
  // While lengths are taken out of the decoders, a block of them is there twice in double.
  const int64_t taking_lengths = directions + kDoubleBytes * (decoders + 2 * std::min(kUnitEntries, decoders * d));
  estimate.peak_bytes =
      std::max(taking_lengths, estimate.held_bytes +
                                   std::max({moment, kIdBytes * batch, kIdBytes * std::min(config.factors, decoders)}));
  return estimate;
}

}  // namespace superpose
