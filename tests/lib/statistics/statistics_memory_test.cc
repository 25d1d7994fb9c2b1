// Estimates of statistics against what LibTorch allocates.
#include <ATen/ATen.h>

#include "lib/statistics/layer_statistics.h"
#include "tests/lib/statistics/statistics_rig.h"
#include "tests/support/counting_allocator.h"

namespace superpose {
namespace {

constexpr double kDensity = 0.02;

void ExpectAsEstimated(const StatisticsShape& shape, const StatisticsOptions& options, int64_t tokens) {
  at::manual_seed(2);
  const StatisticsRows rows = RandomRows(tokens, shape, kDensity);
  CountingAllocator& allocator = CountingAllocator::Install();
  const int64_t before = allocator.now();
  int64_t kept = 0;
  const int64_t peak = allocator.PeakOf([&] {
    auto statistics = LayerStatistics::Create(shape, options, true, at::kCPU);
    ASSERT_OK(statistics);
    (*statistics)->Begin(rows);
    while (!(*statistics)->idle()) (*statistics)->RunUnit();
    kept = allocator.now() - before;
  });
  const double active_features = kDensity * static_cast<double>(shape.d_sae);
  const StatisticsBytes estimate = EstimateStatistics(shape, options, true, tokens, active_features);
  EXPECT_TRUE(WithinAFifth(estimate.kept, kept));
  EXPECT_TRUE(WithinAFifth(estimate.peak, peak));
}

StatisticsOptions Only(StatisticsGroup group) {
  StatisticsOptions options;
  options.groups = {StatisticsGroup::kFeatures, group};
  return options;
}

TEST(StatisticsMemory, OfManyFeaturesTheSumsDecide) {
  ExpectAsEstimated({.d_sae = 4096, .d_mlp = 256, .d_model = 64}, {}, 512);
}
TEST(StatisticsMemory, OfLargeBatchesTheGatesDecide) {
  StatisticsOptions options;
  options.feature_ids = at::tensor({5, 1, 5}, at::kLong);
  ExpectAsEstimated({.d_sae = 512, .d_mlp = 1024, .d_model = 64}, options, 8192);
}
TEST(StatisticsMemory, OfEachGroupAlone) {
  for (const auto group : {StatisticsGroup::kPairs, StatisticsGroup::kGates, StatisticsGroup::kPreActivations,
                           StatisticsGroup::kOutputs, StatisticsGroup::kUnits}) {
    SCOPED_TRACE(std::string(NameOf(group)));
    ExpectAsEstimated({.d_sae = 4096, .d_mlp = 512, .d_model = 256}, Only(group), 1024);
  }
}
TEST(StatisticsMemory, OfSomePairs) {
  StatisticsOptions options = Only(StatisticsGroup::kPairs);
  options.pair_ids = at::arange(0, 4096, 2);
  ExpectAsEstimated({.d_sae = 4096, .d_mlp = 512, .d_model = 256}, options, 256);
}

}  // namespace
}  // namespace superpose
