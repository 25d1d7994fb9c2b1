#include "lib/statistics/layer_statistics.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <cmath>
#include <limits>

#include "tests/lib/statistics/statistics_rig.h"

namespace superpose {
namespace {

constexpr StatisticsShape kShape{.d_sae = 50, .d_mlp = 37, .d_model = 19};

class LayerStatisticsTest : public StatisticsRig {};
INSTANTIATE_TEST_SUITE_P(Ways, LayerStatisticsTest, EveryWay(), WayName);

StatisticsOptions WithMidcoderGates() {
  StatisticsOptions options;
  options.gate = GateSource::kMidcoder;
  return options;
}

TEST_P(LayerStatisticsTest, SumsEqualTheDenseFormulas) {
  ExpectAsDense(WithoutMid(RandomRows(203, kShape)), kShape, {});
}

TEST_P(LayerStatisticsTest, SumsEqualTheDenseFormulasWithAMidcoder) {
  ExpectAsDense(RandomRows(203, kShape), kShape, WithMidcoderGates());
}

// Wider than the loops' blocks, and more tokens than a chunk of rows.
TEST_P(LayerStatisticsTest, SumsEqualTheDenseFormulasBeyondOneBlock) {
  const StatisticsShape shape{.d_sae = 9, .d_mlp = 1031, .d_model = 401};
  ExpectAsDense(RandomRows(1030, shape), shape, WithMidcoderGates());
}

TEST_P(LayerStatisticsTest, GatesOfTheModelWithAMidcoderAreThoseOfThePreActivations) {
  const StatisticsRows rows = RandomRows(40, kShape);
  const auto statistics = New(kShape, {}, /*has_midcoder=*/true);
  Count(*statistics, rows);
  const TensorMap sums = statistics->Tensors(), expected = DenseStatistics(WithoutMid(rows));
  EXPECT_TRUE(at::equal(sums.at("gate_act_counts"), expected.at("gate_act_counts")));
  EXPECT_TRUE(at::equal(sums.at("gate_counts"), expected.at("gate_counts")));
  const at::Tensor mid = rows.mid.to(at::kDouble);
  EXPECT_LT(RelativeError(sums.at("mid_sum"), mid.sum(0)), 1e-13);
  EXPECT_LT(RelativeError(sums.at("gate_mid_sum"), mid.mul(rows.pre.gt(0)).sum(0)), 1e-13);
}

TEST_P(LayerStatisticsTest, ChosenFeaturesComeInTheOrderAskedForWithDuplicates) {
  StatisticsOptions options = WithMidcoderGates();
  options.feature_ids = at::tensor({17, 3, 49, 3, 0, 17, 28}, at::kLong);
  ExpectAsDense(RandomRows(90, kShape), kShape, options);
}

TEST_P(LayerStatisticsTest, PairsOfSomeOfTheFeatures) {
  StatisticsOptions options;
  options.feature_ids = at::tensor({17, 3, 49, 3, 0, 17, 28}, at::kLong);
  options.pair_ids = at::tensor({28, 0, 17}, at::kLong);
  ExpectAsDense(WithoutMid(RandomRows(90, kShape)), kShape, options);
  options.feature_ids = at::Tensor();
  ExpectAsDense(WithoutMid(RandomRows(90, kShape)), kShape, options);
}

TEST_P(LayerStatisticsTest, OneFeature) {
  StatisticsOptions options;
  options.feature_ids = at::tensor({4}, at::kLong);
  ExpectAsDense(WithoutMid(RandomRows(30, kShape)), kShape, options);
  ExpectAsDense(WithoutMid(RandomRows(30, {1, 3, 2}, 1)), {1, 3, 2}, {});
}

TEST_P(LayerStatisticsTest, EachGroupAlone) {
  const StatisticsRows rows = RandomRows(60, kShape);
  for (const auto group : {StatisticsGroup::kPairs, StatisticsGroup::kGates, StatisticsGroup::kPreActivations,
                           StatisticsGroup::kOutputs, StatisticsGroup::kUnits}) {
    SCOPED_TRACE(std::string(NameOf(group)));
    StatisticsOptions options = WithMidcoderGates();
    options.groups = {StatisticsGroup::kFeatures, group};
    ExpectAsDense(rows, kShape, options);
  }
}

TEST_P(LayerStatisticsTest, WhatNoGroupNeedsMayBeUndefined) {
  StatisticsRows rows = RandomRows(20, kShape);
  rows.pre = rows.mid = rows.out = at::Tensor();
  StatisticsOptions options;
  options.groups = {StatisticsGroup::kFeatures, StatisticsGroup::kPairs};
  const auto statistics = New(kShape, options, /*has_midcoder=*/false);
  Count(*statistics, rows);
  EXPECT_TRUE(at::equal(statistics->Tensors().at("act_counts"), DenseActivations(rows.z).gt(0).sum(0)));
}

TEST_P(LayerStatisticsTest, NoActiveFeature) {
  ExpectAsDense(WithoutMid(RandomRows(20, kShape, /*density=*/0)), kShape, {});
}

TEST_P(LayerStatisticsTest, AllFeaturesActive) {
  ExpectAsDense(RandomRows(70, kShape, /*density=*/1), kShape, WithMidcoderGates());
}

TEST_P(LayerStatisticsTest, OneToken) { ExpectAsDense(WithoutMid(RandomRows(1, kShape)), kShape, {}); }

TEST_P(LayerStatisticsTest, ABatchWithoutTokensChangesNothing) {
  const StatisticsRows rows = RandomRows(33, kShape);
  const auto statistics = New(kShape, WithMidcoderGates(), /*has_midcoder=*/true);
  Count(*statistics, rows);
  const TensorMap before = CopyOf(statistics->Tensors());
  Count(*statistics, PartOf(rows, 5, 5));
  EXPECT_EQ(statistics->tokens(), 33);
  ExpectSameBits(statistics->Tensors(), before);
}

TEST_P(LayerStatisticsTest, TwoBatchesAddUpToOne) {
  const StatisticsRows rows = RandomRows(120, kShape);
  const auto statistics = New(kShape, WithMidcoderGates(), /*has_midcoder=*/true);
  Count(*statistics, PartOf(rows, 0, 71));
  Count(*statistics, PartOf(rows, 71, 120));
  EXPECT_EQ(statistics->tokens(), 120);
  ExpectSums(statistics->Tensors(), DenseStatistics(rows), 1e-13);
}

TEST_P(LayerStatisticsTest, ARestoredRunGoesOnToTheSameSums) {
  const StatisticsRows rows = RandomRows(120, kShape);
  StatisticsOptions options = WithMidcoderGates();
  for (const at::Tensor& ids : {at::Tensor(), at::tensor({17, 3, 49, 3, 0}, at::kLong)}) {
    options.feature_ids = ids;
    const auto whole = New(kShape, options, true), first = New(kShape, options, true),
               second = New(kShape, options, true);
    Count(*first, PartOf(rows, 0, 71));
    ASSERT_OK(second->Restore(CopyOf(first->Tensors())));
    EXPECT_EQ(second->tokens(), 71);
    ExpectSameBits(second->Tensors(), first->Tensors());
    Count(*first, PartOf(rows, 71, 120));
    Count(*second, PartOf(rows, 71, 120));
    ExpectSameBits(second->Tensors(), first->Tensors());
  }
}

// A bin a power of two, and what is beyond the outer ones in them.
TEST_P(LayerStatisticsTest, HistogramHasABinForEachPowerOfTwo) {
  const at::Tensor values = at::tensor({1.0f, 1.999f, 2.0f, std::ldexp(1.0f, -16), std::ldexp(1.0f, -17), 1e-42f,
                                        std::ldexp(1.0f, 15), std::ldexp(1.0f, 20), 0.75f});
  StatisticsRows rows{SparseOf(values.view({9, 1})), {}, {}, {}};
  StatisticsOptions options;
  options.groups = {StatisticsGroup::kFeatures};
  const auto statistics = New({1, 1, 1}, options, false);
  Count(*statistics, rows);
  at::Tensor expected = at::zeros({1, 32}, at::kLong);
  for (const auto& [bin, count] : std::vector<std::pair<int, int>>{{0, 3}, {15, 1}, {16, 2}, {17, 1}, {31, 2}}) {
    expected[0][bin] = count;
  }
  EXPECT_TRUE(at::equal(statistics->Tensors().at("act_log2_histogram"), expected));
  EXPECT_EQ(statistics->Tensors().at("act_max").item<float>(), std::ldexp(1.0f, 20));
}

TEST_P(LayerStatisticsTest, WhatIsNotFiniteReachesOnlyItsOwnFeaturesAndUnits) {
  StatisticsRows rows = WithoutMid(RandomRows(40, kShape));
  const at::Tensor dense = DenseActivations(rows.z);
  const int64_t spoiled = dense[3].nonzero()[0].item<int64_t>();
  rows.z.values[rows.z.row_splits[3].item<int64_t>()] = std::numeric_limits<float>::quiet_NaN();
  rows.pre[7][5] = std::numeric_limits<float>::infinity();
  StatisticsOptions options;
  options.groups = {StatisticsGroup::kFeatures, StatisticsGroup::kGates, StatisticsGroup::kPreActivations};
  const auto statistics = New(kShape, options, false);
  Count(*statistics, rows);
  const at::Tensor finite = at::isfinite(statistics->Tensors().at("act_pre_relu_sum"));
  for (int64_t j = 0; j < kShape.d_sae; ++j) {
    const bool meets_infinity = dense[7][j].item<double>() > 0;
    EXPECT_EQ(finite[j][5].item<bool>(), j != spoiled && !meets_infinity) << j;
    EXPECT_EQ(finite[j][6].item<bool>(), j != spoiled) << j;
    EXPECT_EQ(std::isfinite(statistics->Tensors().at("act_sum")[j].item<double>()), j != spoiled) << j;
  }
  EXPECT_TRUE(std::isnan(statistics->Tensors().at("act_max")[spoiled].item<float>()));
}

// As if 200 million tokens had gone before: what one batch of values that have no short binary form adds to sums of
// that size is what it should be, so that the error of all batches together stays far below 1e-6.
TEST_P(LayerStatisticsTest, SumsDoNotDriftOverHundredsOfMillionsOfTokens) {
  const StatisticsShape shape{.d_sae = 3, .d_mlp = 5, .d_model = 2};
  const int64_t before = 200'000'000, rows = 1000, batches = 20;
  const StatisticsRows batch{SparseOf(at::full({rows, 3}, 0.1f)), at::full({rows, 5}, 0.1f), at::full({rows, 5}, 0.1f),
                             at::full({rows, 2}, 0.1f)};
  const auto statistics = New(shape, WithMidcoderGates(), true);
  const TensorMap one = DenseStatistics(PartOf(batch, 0, 1));
  const auto times = [&](int64_t tokens) {
    TensorMap sums;
    for (const auto& [name, tensor] : one) sums[name] = name == "act_max" ? tensor : tensor.mul(tokens);
    return sums;
  };
  ASSERT_OK(statistics->Restore(times(before)));
  for (int64_t i = 0; i < batches; ++i) Count(*statistics, batch);
  EXPECT_EQ(statistics->tokens(), before + rows * batches);
  const TensorMap sums = statistics->Tensors();
  TensorMap added;
  for (const auto& [name, tensor] : times(before)) added[name] = name == "act_max" ? tensor : sums.at(name) - tensor;
  ExpectSums(added, times(rows * batches), 1e-7);
  ExpectSums(sums, times(before + rows * batches), 1e-10);
}

TEST_P(LayerStatisticsTest, ALargeBatchIsCountedInManyUnits) {
  const StatisticsShape shape{.d_sae = 400, .d_mlp = 2048, .d_model = 32};
  const auto statistics = New(shape, WithMidcoderGates(), true);
  EXPECT_GE(Count(*statistics, RandomRows(256, shape, 0.9)), 10);
}

TEST_P(LayerStatisticsTest, RefusesRowsOfOtherShapes) {
  const auto statistics = New(kShape, WithMidcoderGates(), true);
  for (const auto change : {0, 1, 2, 3, 4}) {
    StatisticsRows rows = RandomRows(10, kShape);
    if (change == 0) rows.pre = rows.pre.slice(0, 0, 9);
    if (change == 1) rows.mid = at::Tensor();
    if (change == 2) rows.out = rows.out.to(at::kDouble);
    if (change == 3) rows.pre = rows.pre.slice(1, 1);
    if (change == 4) rows.z.d_sae = 51;
    const auto fresh = New(kShape, WithMidcoderGates(), true);
    EXPECT_THROW(Count(*fresh, rows), c10::Error) << change;
  }
}

TEST(LayerStatisticsOnCpu, SumsDoNotDependOnTheNumberOfThreads) {
  at::manual_seed(3);
  const StatisticsShape shape{.d_sae = 60, .d_mlp = 900, .d_model = 500};
  const StatisticsRows rows = RandomRows(700, shape);
  const auto run = [&](int threads) {
    at::set_num_threads(threads);
    auto statistics = LayerStatistics::Create(shape, WithMidcoderGates(), true, at::kCPU);
    EXPECT_OK(statistics);
    (*statistics)->Begin(rows);
    while (!(*statistics)->idle()) (*statistics)->RunUnit();
    return (*statistics)->Tensors();
  };
  const int threads = at::get_num_threads();
  const TensorMap one = run(1);
  for (const int count : {2, 3, 7}) ExpectSameBits(run(count), one);
  at::set_num_threads(threads);
}

TEST(LayerStatisticsOnCpu, OfAllFeaturesTheTensorsAreTheLiveOnes) {
  auto statistics = LayerStatistics::Create(kShape, {}, false, at::kCPU);
  ASSERT_OK(statistics);
  const TensorMap first = (*statistics)->Tensors();
  (*statistics)->Begin(WithoutMid(RandomRows(20, kShape)));
  while (!(*statistics)->idle()) (*statistics)->RunUnit();
  for (const auto& [name, tensor] : (*statistics)->Tensors()) EXPECT_TRUE(tensor.is_same(first.at(name))) << name;
}

TEST(LayerStatisticsOnCpu, LetsGoOfABatchThatIsCounted) {
  auto statistics = LayerStatistics::Create(kShape, WithMidcoderGates(), true, at::kCPU);
  ASSERT_OK(statistics);
  const StatisticsRows rows = RandomRows(20, kShape);
  (*statistics)->Begin(rows);
  EXPECT_GT(rows.pre.use_count(), 1);
  while (!(*statistics)->idle()) (*statistics)->RunUnit();
  for (const at::Tensor* tensor : {&rows.pre, &rows.mid, &rows.out, &rows.z.row_splits, &rows.z.values}) {
    EXPECT_EQ(tensor->use_count(), 1);
  }
}

TEST(KeepRows, LeavesOutTheRowsThatAreNotKept) {
  at::manual_seed(5);
  const StatisticsRows rows = RandomRows(41, kShape);
  const at::Tensor keep = at::rand({41}).gt(0.3);
  const StatisticsRows kept = KeepRows(rows, keep);
  const at::Tensor which = keep.nonzero().squeeze(1);
  EXPECT_TRUE(at::equal(DenseActivations(kept.z), DenseActivations(rows.z).index_select(0, which)));
  EXPECT_TRUE(at::equal(kept.pre, rows.pre.index_select(0, which)));
  EXPECT_TRUE(at::equal(kept.mid, rows.mid.index_select(0, which)));
  EXPECT_TRUE(at::equal(kept.out, rows.out.index_select(0, which)));
  EXPECT_EQ(KeepRows(rows, at::zeros({41}, at::kBool)).z.rows(), 0);
  EXPECT_FALSE(KeepRows(WithoutMid(rows), keep).mid.defined());
}

}  // namespace
}  // namespace superpose
