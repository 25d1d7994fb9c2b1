#include "lib/statistics/collector.h"

#include <limits>

#include "lib/statistics/snapshot_layout.h"
#include "lib/statistics/snapshot_merger.h"
#include "tests/lib/statistics/collector_rig.h"

namespace superpose {
namespace {

class CollectorTest : public CollectorRig {};

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;
// A product of float32 matrices may lie behind the sums.
constexpr double kTolerance = 6e-7;

TEST_F(CollectorTest, SumsAreThoseOfTheFormulasWithTheMidcodersGates) {
  const CollectedLayer layer = LayerWithMidcoder(1);
  const auto collector = Run(Inputs({layer}), Config());
  ExpectSums(collector->statistics(0).Tensors(), Expected(layer, 120, false), kTolerance);
  EXPECT_EQ(collector->statistics(0).tokens(), 120 * 31);
}

TEST_F(CollectorTest, SumsAreThoseOfTheFormulasWithTheModelsGates) {
  const CollectedLayer layer = Layer(2);
  const auto collector = Run(Inputs({layer}), Config());
  ExpectSums(collector->statistics(0).Tensors(), Expected(layer, 120, false), kTolerance);
}

TEST_F(CollectorTest, BosIsCountedWhereThatIsAsked) {
  const CollectedLayer layer = LayerWithMidcoder(1);
  CollectorConfig config = Config();
  config.include_bos = true;
  const auto collector = Run(Inputs({layer}), config);
  ExpectSums(collector->statistics(0).Tensors(), Expected(layer, 120, true), kTolerance);
  EXPECT_EQ(collector->statistics(0).tokens(), 120 * 32);
}

TEST_F(CollectorTest, OnlyABosAtTheStartOfASequenceIsLeftOut) {
  const int64_t bos = model_->config().bos_token_id;
  at::Tensor tokens = GoldenTokens().narrow(0, 0, 24).clone();
  tokens[3][0] = bos == 7 ? 8 : 7;
  tokens[4][9] = bos;
  const auto collector = Run(Inputs({Layer(1)}, tokens), Config());
  EXPECT_EQ(collector->statistics(0).tokens(), 24 * 31 + 1);
  EXPECT_EQ(collector->tokens_done(), 24 * 32);
}

TEST_F(CollectorTest, SequencesOfNothingButBosCountNothing) {
  const at::Tensor tokens = at::full({40, 1}, model_->config().bos_token_id, at::kLong);
  const auto collector = Run(Inputs({Layer(0), Layer(1)}, tokens), Config());
  EXPECT_EQ(collector->statistics(1).tokens(), 0);
  EXPECT_EQ(collector->tokens_done(), 40);
  EXPECT_EQ(collector->statistics(0).Tensors().at("act_counts").sum().item<int64_t>(), 0);
}

TEST_F(CollectorTest, LayersTogetherEqualLayersAlone) {
  CollectedLayer some = LayerWithMidcoder(2);
  some.options.groups = {StatisticsGroup::kPairs, StatisticsGroup::kGates};
  some.options.feature_ids = at::tensor({200, 3, 3, 17}, at::kLong);
  some.options.pair_ids = at::tensor({17, 200}, at::kLong);
  const std::vector<CollectedLayer> layers = {LayerWithMidcoder(2), Layer(0), some};
  const auto together = Run(Inputs(layers), Config());
  ASSERT_EQ(together->layers(), 3);
  for (int64_t i = 0; i < 3; ++i) {
    const auto alone = Run(Inputs({layers[i]}), Config());
    ExpectSameBits(together->statistics(i).Tensors(), alone->statistics(0).Tensors());
  }
}

TEST_F(CollectorTest, GroupsThatAreNotAskedForAreLeftOut) {
  const CollectedLayer all = LayerWithMidcoder(1);
  const auto whole = Run(Inputs({all}), Config());
  const TensorMap whole_tensors = whole->statistics(0).Tensors();
  for (const StatisticsGroup group :
       {StatisticsGroup::kFeatures, StatisticsGroup::kPairs, StatisticsGroup::kGates, StatisticsGroup::kPreActivations,
        StatisticsGroup::kOutputs, StatisticsGroup::kUnits}) {
    CollectedLayer layer = all;
    layer.options.groups = {group};
    const auto collector = Run(Inputs({layer}), Config());
    const TensorMap tensors = collector->statistics(0).Tensors();
    layer.options.groups.insert(StatisticsGroup::kFeatures);
    const StatisticsShape shape{.d_sae = 256, .d_mlp = 128, .d_model = 32};
    const std::vector<SnapshotTensor> wanted = SnapshotTensors(shape, layer.options, /*has_midcoder=*/true);
    EXPECT_EQ(tensors.size(), wanted.size());
    for (const SnapshotTensor& tensor : wanted) {
      ASSERT_EQ(tensors.count(tensor.name), 1) << tensor.name;
      EXPECT_TRUE(at::equal(tensors.at(tensor.name), whole_tensors.at(tensor.name))) << tensor.name;
    }
  }
}

TEST_F(CollectorTest, SlicesOfOneUnitGiveTheSameBits) {
  const std::vector<CollectedLayer> layers = {LayerWithMidcoder(1), Layer(0)};
  const auto whole = Run(Inputs(layers), Config()), sliced = New(Inputs(layers), Config());
  int64_t slices = 0;
  for (bool done = false; !done; ++slices) {
    ASSERT_OK_AND_ASSIGN(done, sliced->RunSlice(OneUnit()));
  }
  EXPECT_GE(slices, 5 * (2 * 2 + 2 * (3 + 1) + 2));  // chunks x blocks, encoding and sums by layer, mid of one
  for (int64_t i = 0; i < 2; ++i) {
    ExpectSameBits(sliced->statistics(i).Tensors(), whole->statistics(i).Tensors());
  }
}

TEST_F(CollectorTest, DisjointRangesMergeToTheWhole) {
  const CollectorInputs inputs = Inputs({LayerWithMidcoder(1)});
  CollectorConfig first = Config(), second = Config();
  first.tokens = 2 * 24 * 32;
  const auto start = Run(inputs, first);
  EXPECT_EQ(start->sequences_end(), 48);
  second.first_sequence = start->sequences_end();
  second.tokens = 3 * 24 * 32;
  const auto rest = Run(inputs, second);
  EXPECT_EQ(rest->sequences_end(), 120);
  ASSERT_OK_AND_ASSIGN(const TensorMap merged,
                       MergeSnapshots(start->statistics(0).Tensors(), rest->statistics(0).Tensors()));
  const auto whole = Run(inputs, Config());
  ExpectSums(merged, whole->statistics(0).Tensors(), 1e-12);
}

// 13,312 rows: more than are summed at once.
TEST_F(CollectorTest, LargeBatchesAreSplit) {
  CollectorConfig large{.tokens = 1'000'000, .batch_size = 500, .include_bos = true}, small = large;
  small.batch_size = 16;
  const auto collector = Run(Inputs({LayerWithMidcoder(1)}), large);
  const auto expected = Run(Inputs({LayerWithMidcoder(1)}), small);
  ExpectSums(collector->statistics(0).Tensors(), expected->statistics(0).Tensors(), kTolerance);
}

TEST_F(CollectorTest, ItEndsWithTheCorpus) {
  CollectorConfig config = Config();
  config.tokens = std::numeric_limits<int64_t>::max();
  config.first_sequence = 400;
  const auto collector = New(Inputs({Layer(0)}), config);
  EXPECT_EQ(collector->tokens_total(), 16 * 32);
  EXPECT_EQ(collector->tokens_done(), 0);
  ASSERT_OK_AND_ASSIGN(const bool done, collector->RunSlice(Budget::Unlimited()));
  EXPECT_TRUE(done);
  EXPECT_EQ(collector->sequences_end(), 416);
  EXPECT_EQ(collector->tokens_done(), 16 * 32);
  EXPECT_EQ(collector->statistics(0).tokens(), 16 * 31);
  ASSERT_OK_AND_ASSIGN(const bool still_done, collector->RunSlice(OneUnit()));
  EXPECT_TRUE(still_done);
  EXPECT_EQ(collector->statistics(0).tokens(), 16 * 31);
}

TEST_F(CollectorTest, TokensAreWholeBatchesAndAtLeastOne) {
  CollectorConfig config = Config();
  config.tokens = 3 * 24 * 32 - 1;
  EXPECT_EQ(New(Inputs({Layer(0)}), config)->tokens_total(), 2 * 24 * 32);
  config.tokens = 1;
  EXPECT_EQ(New(Inputs({Layer(0)}), config)->tokens_total(), 24 * 32);
}

TEST_F(CollectorTest, InputsThatDoNotFitAreRefused) {
  const auto create = [&](const CollectorInputs& inputs, const CollectorConfig& config) {
    return StatisticsCollector::Create(inputs, config).status();
  };
  const CollectorInputs inputs = Inputs({Layer(1)});
  for (const auto& spoil : std::vector<void (*)(CollectorConfig&)>{[](auto& config) { config.tokens = 0; },
                                                                   [](auto& config) { config.batch_size = 0; },
                                                                   [](auto& config) { config.first_sequence = -1; }}) {
    CollectorConfig config = Config();
    spoil(config);
    EXPECT_THAT(create(inputs, config), IsError(kInvalid, reason::kConfigInvalid));
  }
  CollectorConfig past = Config();
  past.first_sequence = 416;
  EXPECT_THAT(create(inputs, past), IsError(kInvalid, reason::kCorpusTooSmall));
  EXPECT_THAT(create(Inputs({}), Config()), IsError(kInvalid, reason::kConfigInvalid));
  EXPECT_THAT(create(Inputs({Layer(3)}), Config()), IsError(kInvalid, reason::kLayerOutOfRange));
  EXPECT_THAT(create(Inputs({Layer(1)}, at::zeros({8, 65}, at::kLong)), Config()),
              IsError(kInvalid, reason::kContextExceeded));
  CollectedLayer of_another = LayerWithMidcoder(1);
  of_another.layer = 2;
  EXPECT_THAT(create(Inputs({of_another}), Config()), IsError(kInvalid, reason::kTranscoderMismatch));
}

TEST_F(CollectorTest, OptionsThatDoNotFitAreRefused) {
  const auto create = [&](const CollectedLayer& layer) {
    return StatisticsCollector::Create(Inputs({Layer(0), layer}), Config()).status();
  };
  CollectedLayer layer = Layer(1);
  layer.options.gate = GateSource::kMidcoder;
  EXPECT_THAT(create(layer), IsError(kInvalid, reason::kConfigInvalid));
  layer = Layer(1);
  layer.options.feature_ids = at::tensor({0, 256}, at::kLong);
  EXPECT_THAT(create(layer), IsError(kInvalid, reason::kFeatureOutOfRange));
  layer.options.feature_ids = at::empty({0}, at::kLong);
  EXPECT_EQ(ReasonOf(create(layer)), reason::kEmptySelection);
}

TEST_F(CollectorTest, ATokenOutsideTheVocabularyIsAnErrorThatStays) {
  const auto collector = New(Inputs({Layer(1)}, at::full({8, 32}, 256, at::kLong)), Config());
  EXPECT_THAT(collector->RunSlice(OneUnit()), IsError(kInvalid, reason::kTokenOutOfRange));
  EXPECT_THAT(collector->RunSlice(Budget::Unlimited()), IsError(kInvalid, reason::kTokenOutOfRange));
}

}  // namespace
}  // namespace superpose
