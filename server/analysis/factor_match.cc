#include "server/analysis/factor_match.h"

#include <ATen/ATen.h>

#include <utility>

#include "lib/base/error.h"
#include "lib/base/memory_estimate.h"
#include "lib/base/torch_guard.h"
#include "lib/factorization/factor_similarity.h"

namespace superpose {
namespace {

// Of some ten milliseconds each.
constexpr int64_t kTilesOfUnit = 4;

int64_t CeilOf(int64_t value, int64_t part) { return (value + part - 1) / part; }

class FactorMatchAnalysis final : public Analysis {
 public:
  FactorMatchAnalysis(FactorizationHandle stored, FactorizationHandle other)
      : stored_(std::move(stored)), other_(std::move(other)), matcher_(stored_->factors(), other_->factors()) {}

  int64_t units() const override {
    const int64_t tiles = CeilOf(factors(), kFactorTile) * CeilOf(other_factors(), kFactorTile);
    return CeilOf(tiles, kTilesOfUnit);
  }
  void RunUnit(int64_t /*unit*/) override {
    for (int64_t tile = 0; tile < kTilesOfUnit && !done_; ++tile) done_ = matcher_.RunUnit();
  }
  AnalysisOutput Take() override {
    const FactorMatch &match = matcher_.left(), &other_match = matcher_.right();
    const double mean = match.cosine.mean(at::kDouble).item<double>();
    const double other_mean = other_match.cosine.mean(at::kDouble).item<double>();
    AnalysisOutput output;
    output.figures["stability"] = (mean + other_mean) / 2;
    output.tensors = {{"match", match.match},
                      {"cosine", match.cosine},
                      {"other_match", other_match.match},
                      {"other_cosine", other_match.cosine}};
    return output;
  }
  int64_t result_bytes() const override { return (factors() + other_factors()) * (kDoubleBytes + kFloatBytes); }

 private:
  int64_t factors() const { return stored_->facts().factors(); }
  int64_t other_factors() const { return other_->facts().factors(); }

  const FactorizationHandle stored_, other_;
  FactorMatcher matcher_;
  bool done_ = false;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Analysis>> MakeFactorMatch(const FactorizationHandle& stored,
                                                          const FactorizationHandle& other) {
  const v1::Factorization &facts = stored->facts(), &other_facts = other->facts();
  if (facts.width() != other_facts.width()) {
    return InvalidArgument(reason::kTensorShapeMismatch, facts.name(), " has factors of ", facts.width(),
                           " numbers, and ", other_facts.name(), " of ", other_facts.width());
  }
  return CatchTorch([&]() -> absl::StatusOr<std::unique_ptr<Analysis>> {
    return std::make_unique<FactorMatchAnalysis>(stored, other);
  });
}

}  // namespace superpose
