// Estimates of a whole factorization against what LibTorch allocates.
#include <ATen/ATen.h>

#include <algorithm>
#include <memory>

#include "lib/factorization/factorization_run.h"
#include "tests/status_matchers.h"
#include "tests/support/counting_allocator.h"

namespace superpose {
namespace {

FactorizationRunConfig Config(FactorForm form, int64_t factors, int64_t batch_size, int64_t stability_runs) {
  FactorizationRunConfig config;
  config.factorizer.form = form;
  config.factorizer.factors = factors;
  config.factorizer.batch_size = batch_size;
  config.factorizer.epochs = 1;
  config.stability_runs = stability_runs;
  return config;
}

// losses: bytes that the run holds of its losses, which LibTorch does not allocate.
void ExpectAsEstimated(const FactorizationRunConfig& config, int64_t directions, int64_t d,
                       const at::Tensor& start = {}, int64_t losses = 0) {
  const at::Tensor rows = at::randn({directions, d});
  CountingAllocator& allocator = CountingAllocator::Install();
  int64_t checkpoint = 0;
  const int64_t peak = allocator.PeakOf([&] {
    auto run = FactorizationRun::Create({rows, start}, config);
    ASSERT_OK(run);
    for (bool done = false; !done;) {
      ASSERT_OK_AND_ASSIGN(done, (*run)->RunSlice(Budget([&] { return (*run)->at_boundary(); })));
      if (!(*run)->at_boundary()) continue;
      int64_t bytes = 0;
      for (const auto& [name, tensor] : (*run)->CheckpointTensors()) bytes += static_cast<int64_t>(tensor.nbytes());
      checkpoint = std::max(checkpoint, bytes);
    }
  });
  const MemoryEstimate estimate = EstimateFactorizationRun(config, directions, d);
  EXPECT_TRUE(WithinAFifth(estimate.peak_bytes, peak + losses));
  EXPECT_TRUE(WithinAFifth(estimate.checkpoint_bytes, checkpoint));
  EXPECT_LE(estimate.held_bytes, estimate.peak_bytes);
}

TEST(EstimateFactorizationRun, OfManyFactorsTheFitDecides) {
  for (const FactorForm form : {FactorForm::kTopK, FactorForm::kGram}) {
    ExpectAsEstimated(Config(form, 3000, 200, 0), 3500, 64);
    ExpectAsEstimated(Config(form, 3000, 200, 1), 3500, 64);
    ExpectAsEstimated(Config(form, 3000, 200, 3), 3500, 64);
  }
}
TEST(EstimateFactorizationRun, OfManyDecodersTheirRowsDecide) {
  ExpectAsEstimated(Config(FactorForm::kTopK, 20, 2000, 1), 40'000, 64);
  ExpectAsEstimated(Config(FactorForm::kGram, 20, 2000, 1), 40'000, 64);
}
TEST(EstimateFactorizationRun, OfWideDecodersTheQualityDecides) {
  ExpectAsEstimated(Config(FactorForm::kTopK, 64, 64, 1), 128, 1500);
  ExpectAsEstimated(Config(FactorForm::kGram, 64, 64, 1), 128, 1500);
}
TEST(EstimateFactorizationRun, OfAStartThatIsOnlyMeasured) {
  FactorizationRunConfig config = Config(FactorForm::kTopK, 3000, 200, 0);
  config.factorizer.epochs = 0;
  ExpectAsEstimated(config, 3500, 64, at::randn({3000, 64}));
}
TEST(EstimateFactorizationRun, OfManyStepsTheirLossesCount) {
  FactorizationRunConfig config = Config(FactorForm::kTopK, 2, 1, 0);
  config.factorizer.codes = 1;
  config.factorizer.epochs = 100;
  config.held_out_share = 0;
  constexpr int64_t kSteps = 100 * 50;
  ExpectAsEstimated(config, 50, 4, {}, kSteps * static_cast<int64_t>(sizeof(FactorizerLoss)));
  config.factorizer.epochs = 100'000;
  const MemoryEstimate longer = EstimateFactorizationRun(config, 50, 4);
  EXPECT_GE(longer.peak_bytes, 5'000'000 * (sizeof(FactorizerLoss) + 5 * sizeof(double)));
  EXPECT_GE(longer.held_bytes, 5'000'000 * sizeof(FactorizerLoss));
}
// The largest that the notebook has: under 600 MB beside the decoders.
TEST(EstimateFactorizationRun, OfTheReferencesSizes) {
  for (const FactorForm form : {FactorForm::kTopK, FactorForm::kGram}) {
    EXPECT_LT(EstimateFactorizationRun(Config(form, 10'000, 1000, 1), 20'000, 768).peak_bytes, 600'000'000);
  }
}

}  // namespace
}  // namespace superpose
