// Estimates of collecting against what LibTorch allocates.
#include <ATen/ATen.h>

#include "lib/midcoder/midcoder.h"
#include "lib/statistics/collector.h"
#include "tests/lib/midcoder/golden.h"
#include "tests/status_matchers.h"
#include "tests/support/counting_allocator.h"
#include "tests/support/memory_rig.h"

namespace superpose {
namespace {

constexpr int64_t kContext = 64;

// What is collected of each of some layers.
struct Asked {
  int64_t d_sae = 0;
  double bias = kFewActive;
  std::optional<MidForm> midcoder;
  StatisticsOptions options;
};

class CollectorMemoryTest : public MemoryRig {
 protected:
  struct Measured {
    int64_t peak = 0;
    int64_t held = 0;
    int64_t checkpoint = 0;
  };

  // Two batches, with midcoders that are zero.
  Measured Collect(const std::vector<Asked>& asked, const CollectorConfig& config) {
    const at::Tensor tokens = at::randint(0, 200, {2 * config.batch_size, kContext}, at::kLong);
    std::vector<std::shared_ptr<const Transcoder>> transcoders;
    for (const Asked& layer : asked) transcoders.push_back(MakeTranscoder(layer.d_sae, layer.bias));
    CountingAllocator& allocator = CountingAllocator::Install();
    const int64_t before = allocator.now();
    Measured measured;
    measured.peak = allocator.PeakOf([&] {
      CollectorInputs inputs{model(), {}, Sequences(tokens), "corpus"};
      for (size_t i = 0; i < asked.size(); ++i) {
        CollectedLayer layer{static_cast<int64_t>(i), transcoders[i], nullptr, "", asked[i].options};
        if (asked[i].midcoder) {
          layer.midcoder = std::make_shared<const Midcoder>(
              Midcoder::Zero(*asked[i].midcoder, MidGate::kRelu, layer.layer, *model(), asked[i].d_sae));
        }
        inputs.layers.push_back(std::move(layer));
      }
      auto collector = StatisticsCollector::Create(std::move(inputs), config);
      ASSERT_OK(collector);
      EXPECT_OK((*collector)->RunSlice(Budget::Unlimited()));
      measured.held = allocator.now() - before;
      for (const auto& [name, tensor] : (*collector)->CheckpointTensors())
        measured.checkpoint += static_cast<int64_t>(tensor.nbytes());
    });
    return measured;
  }

  void ExpectAsEstimated(const std::vector<Asked>& asked, int64_t batch_size, bool include_bos = false) {
    const CollectorConfig config{.batch_size = batch_size, .include_bos = include_bos};
    std::vector<CollectedShape> shapes;
    for (const Asked& layer : asked)
      shapes.push_back({ShapeOf(layer.d_sae, layer.bias), layer.midcoder, layer.options});
    const MemoryEstimate estimate = EstimateCollecting(model()->config(), shapes, kContext, config);
    const Measured measured = Collect(asked, config);
    EXPECT_TRUE(WithinAFifth(estimate.peak_bytes, measured.peak));
    EXPECT_TRUE(WithinAFifth(estimate.held_bytes, measured.held));
    EXPECT_EQ(estimate.checkpoint_bytes, measured.checkpoint);
  }

  static Asked Everything(int64_t d_sae, std::optional<MidForm> midcoder) {
    Asked asked{.d_sae = d_sae, .bias = kFewActive, .midcoder = midcoder, .options = {}};
    if (midcoder) asked.options.gate = GateSource::kMidcoder;
    return asked;
  }
};

TEST_F(CollectorMemoryTest, OfManyFeaturesTheSumsDecide) { ExpectAsEstimated({Everything(4096, MidForm::kDMlp)}, 16); }
TEST_F(CollectorMemoryTest, OfLargeBatchesTheRowsDecide) {
  ExpectAsEstimated({Everything(256, std::nullopt), Everything(256, MidForm::kDModel)}, 256);
}
TEST_F(CollectorMemoryTest, WithoutPairsAndWithBos) {
  Asked asked = Everything(8192, MidForm::kDModel);
  asked.options.groups = {StatisticsGroup::kGates, StatisticsGroup::kOutputs};
  ExpectAsEstimated({asked}, 64, /*include_bos=*/true);
}
TEST_F(CollectorMemoryTest, FrequenciesAloneTakeLittle) {
  Asked asked = Everything(8192, std::nullopt);
  asked.options.groups = {StatisticsGroup::kFeatures};
  ExpectAsEstimated({asked}, 32);
}
TEST_F(CollectorMemoryTest, ChosenFeaturesTakeAsMuchAsTheyAre) {
  Asked asked = Everything(8192, MidForm::kDMlp);
  asked.options.feature_ids = at::arange(0, 8192, 8, at::kLong);
  asked.options.pair_ids = at::arange(0, 8192, 32, at::kLong);
  ExpectAsEstimated({asked}, 16);
}
TEST_F(CollectorMemoryTest, WhereEveryFeatureIsActiveTheActivationsDecide) {
  Asked asked = Everything(256, MidForm::kDMlp);
  asked.bias = kAllActive;
  ExpectAsEstimated({asked}, 64);
}

}  // namespace
}  // namespace superpose
