// Estimates of a factorization against what LibTorch allocates.
#include <ATen/ATen.h>

#include <memory>

#include "lib/factorization/factorizer.h"
#include "tests/status_matchers.h"
#include "tests/support/counting_allocator.h"

namespace superpose {
namespace {

FactorizerConfig Config(FactorForm form, int64_t factors, int64_t batch_size) {
  FactorizerConfig config;
  config.form = form;
  config.factors = factors;
  config.batch_size = batch_size;
  config.epochs = 1;
  return config;
}

void ExpectAsEstimated(const FactorizerConfig& config, int64_t decoders, int64_t d) {
  const at::Tensor rows = at::randn({decoders, d});
  CountingAllocator& allocator = CountingAllocator::Install();
  const int64_t before = allocator.now();
  int64_t held = 0, checkpoint = 0;
  const int64_t peak = allocator.PeakOf([&] {
    auto factorizer = Factorizer::Create({rows, {}, {}}, config);
    ASSERT_OK(factorizer);
    ASSERT_OK((*factorizer)->RunSlice(Budget([&] { return (*factorizer)->step() == 2; })));
    held = allocator.now() - before;
    for (const auto& [name, tensor] : (*factorizer)->CheckpointTensors()) {
      checkpoint += static_cast<int64_t>(tensor.nbytes());
    }
  });
  const MemoryEstimate estimate = EstimateFactorization(config, decoders, d);
  EXPECT_TRUE(WithinAFifth(estimate.peak_bytes, peak));
  EXPECT_TRUE(WithinAFifth(estimate.held_bytes, held));
  EXPECT_EQ(estimate.checkpoint_bytes, checkpoint);
}

TEST(EstimateFactorization, OfManyFactorsTheParametersDecide) {
  ExpectAsEstimated(Config(FactorForm::kTopK, 3000, 100), 3500, 64);
  ExpectAsEstimated(Config(FactorForm::kGram, 3000, 100), 3500, 64);
}
TEST(EstimateFactorization, OfManyDecodersTheirUnitRowsDecide) {
  ExpectAsEstimated(Config(FactorForm::kTopK, 20, 100), 40'000, 64);
  ExpectAsEstimated(Config(FactorForm::kGram, 20, 100), 40'000, 64);
}
TEST(EstimateFactorization, OfLargeBatchesTheirRoomDecides) {
  ExpectAsEstimated(Config(FactorForm::kTopK, 200, 2500), 5000, 32);
  ExpectAsEstimated(Config(FactorForm::kGram, 200, 2500), 5000, 32);
}
TEST(EstimateFactorization, OfManyCodesTheirProductsDecide) {
  FactorizerConfig config = Config(FactorForm::kTopK, 100, 1000);
  config.codes = 50;
  ExpectAsEstimated(config, 2000, 16);
}
TEST(EstimateFactorization, OfWideDecodersTheMomentDecides) {
  ExpectAsEstimated(Config(FactorForm::kGram, 64, 64), 128, 1500);
}
TEST(EstimateFactorization, WithTheFactorsOwnTerm) {
  FactorizerConfig config = Config(FactorForm::kTopK, 1100, 50);
  config.factor_param = 0.5;
  ExpectAsEstimated(config, 1200, 32);
}
// The largest that the notebook has: under 600 MB beside the decoders.
TEST(EstimateFactorization, OfTheReferencesSizes) {
  for (const FactorForm form : {FactorForm::kTopK, FactorForm::kGram}) {
    EXPECT_LT(EstimateFactorization(Config(form, 10'000, 1000), 20'000, 768).peak_bytes, 300'000'000);
  }
}

}  // namespace
}  // namespace superpose
