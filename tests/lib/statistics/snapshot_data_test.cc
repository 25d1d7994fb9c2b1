#include "lib/statistics/snapshot_data.h"

#include <ATen/ATen.h>

#include <cmath>
#include <limits>
#include <vector>

#include "lib/statistics/snapshot_layout.h"
#include "tests/status_matchers.h"
#include "tests/support/golden.h"

namespace superpose {
namespace {

using ::testing::AllOf;

constexpr StatisticsShape kTiny = {.d_sae = 256, .d_mlp = 128, .d_model = 32};
constexpr StatisticsShape kShape = {.d_sae = 6, .d_mlp = 3, .d_model = 2};
constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;
constexpr auto kPrecondition = absl::StatusCode::kFailedPrecondition;

at::Tensor Ids(std::initializer_list<int64_t> ids) { return at::tensor(std::vector<int64_t>(ids), at::kLong); }

// A snapshot with all groups and random whole numbers.
TensorMap Snapshot(const at::Tensor& feature_ids = {}, const at::Tensor& pair_ids = {}) {
  StatisticsOptions options;
  options.feature_ids = feature_ids;
  options.pair_ids = pair_ids;
  TensorMap tensors;
  for (const SnapshotTensor& tensor : SnapshotTensors(kShape, options, /*has_midcoder=*/false)) {
    tensors[tensor.name] = at::randint(1, 100, tensor.shape, at::kLong).to(tensor.dtype);
  }
  if (feature_ids.defined()) tensors["feat_ids"] = feature_ids;
  if (pair_ids.defined()) tensors["pair_ids"] = pair_ids;
  return tensors;
}

// The square whose triangle it is.
at::Tensor Square(const at::Tensor& packed, int64_t n) {
  at::Tensor square = at::zeros({n, n}, packed.options());
  int64_t place = 0;
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t j = i; j < n; ++j, ++place) {
      square[i][j] = packed[place];
      square[j][i] = packed[place];
    }
  }
  return square;
}

TensorMap With(TensorMap tensors, const std::string& name, const at::Tensor& tensor) {
  tensors[name] = tensor;
  return tensors;
}

TensorMap Without(TensorMap tensors, const std::string& name) {
  tensors.erase(name);
  return tensors;
}

TEST(SnapshotDataTest, ASnapshotOfAllFeaturesHasOneRowForEach) {
  TensorMap tensors = Snapshot();
  ASSERT_OK_AND_ASSIGN(const SnapshotData data, SnapshotData::Create(tensors, kShape));
  EXPECT_TRUE(data.covers_all());
  EXPECT_EQ(data.rows(), 6);
  EXPECT_EQ(data.tokens(), tensors["counts"].item<int64_t>());
  EXPECT_TRUE(at::equal(data.feature_ids(), at::arange(6, at::kLong)));
  EXPECT_TRUE(at::equal(data.pair_ids(), at::arange(6, at::kLong)));
  EXPECT_TRUE(at::equal(data.ActCounts(), tensors["act_counts"]));
  ASSERT_OK_AND_ASSIGN(const at::Tensor rows, data.RowsOf(Ids({5, 0, 5})));
  EXPECT_TRUE(at::equal(rows, Ids({5, 0, 5})));
  EXPECT_THAT(data.RowsOf(Ids({6})), AllOf(IsError(kInvalid, reason::kFeatureOutOfRange), MessageHas("0 .. 5")));
  EXPECT_THAT(data.RowsOf(Ids({-1})), IsError(kInvalid, reason::kFeatureOutOfRange));
}

TEST(SnapshotDataTest, PairsOfTheTriangleAreThoseOfTheSquare) {
  TensorMap tensors = Snapshot();
  ASSERT_OK_AND_ASSIGN(const SnapshotData data, SnapshotData::Create(tensors, kShape));
  ASSERT_OK_AND_ASSIGN(const PairRows pairs, data.Pairs(Ids({4, 0, 5, 4})));
  EXPECT_TRUE(at::equal(pairs.counts, Square(tensors["act_cov_counts_upper"], 6).index_select(0, Ids({4, 0, 5, 4}))));
  EXPECT_TRUE(at::equal(pairs.sums, Square(tensors["act_cov_sum_upper"], 6).index_select(0, Ids({4, 0, 5, 4}))));
  EXPECT_THAT(data.Pairs(Ids({6})), IsError(kInvalid, reason::kFeatureOutOfRange));
}

TEST(SnapshotDataTest, OfAFeatureThatStandsTwiceTheFirstRowCounts) {
  TensorMap tensors = Snapshot(Ids({5, 2, 5}));
  ASSERT_OK_AND_ASSIGN(const SnapshotData data, SnapshotData::Create(tensors, kShape));
  EXPECT_FALSE(data.covers_all());
  EXPECT_EQ(data.rows(), 3);
  ASSERT_OK_AND_ASSIGN(const at::Tensor rows, data.RowsOf(Ids({2, 5})));
  EXPECT_TRUE(at::equal(rows, Ids({1, 0})));
  ASSERT_OK_AND_ASSIGN(const PairRows pairs, data.Pairs(Ids({5})));
  EXPECT_TRUE(at::equal(pairs.counts[0], tensors["act_cov_counts_upper"].slice(0, 0, 3)));
  EXPECT_THAT(data.RowsOf(Ids({3})),
              AllOf(IsError(kPrecondition, reason::kSnapshotTensorMissing), MessageHas("feature 3")));
  EXPECT_THAT(data.RowsOf(Ids({6})), IsError(kInvalid, reason::kFeatureOutOfRange));
}

TEST(SnapshotDataTest, PairsOfChosenFeaturesOnly) {
  TensorMap tensors = Snapshot(/*feature_ids=*/{}, Ids({4, 1}));
  ASSERT_OK_AND_ASSIGN(const SnapshotData data, SnapshotData::Create(tensors, kShape));
  EXPECT_EQ(data.rows(), 6);
  EXPECT_TRUE(at::equal(data.pair_ids(), Ids({4, 1})));
  ASSERT_OK_AND_ASSIGN(const PairRows pairs, data.Pairs(Ids({1})));
  EXPECT_TRUE(at::equal(pairs.counts[0], tensors["act_cov_counts_upper"].slice(0, 1, 3)));
  EXPECT_THAT(data.Pairs(Ids({0})), AllOf(IsError(kPrecondition, reason::kSnapshotTensorMissing),
                                          MessageHas("holds pairs of 2 features, and feature 0")));
  EXPECT_THAT(data.Pairs(Ids({6})), IsError(kInvalid, reason::kFeatureOutOfRange));
}

TEST(SnapshotDataTest, TheReferencesSquaresAreReadAsTheyLie) {
  const TensorMap golden = GoldenTensors("tiny_stats_d_mlp_f32.safetensors");
  ASSERT_OK_AND_ASSIGN(const SnapshotData data, SnapshotData::Create(golden, kTiny));
  EXPECT_EQ(data.tokens(), 12800);
  EXPECT_EQ(data.rows(), 80);
  EXPECT_EQ(data.ActCounts().scalar_type(), at::kLong);
  EXPECT_TRUE(at::equal(data.ActCounts().to(at::kFloat), golden.at("act_counts")));
  // 187 stands in rows 29, 45 and 79, 102 in rows 0 and 8.
  ASSERT_OK_AND_ASSIGN(const PairRows pairs, data.Pairs(Ids({187, 102, 151})));
  EXPECT_EQ(pairs.counts.scalar_type(), at::kLong);
  EXPECT_EQ(pairs.sums.scalar_type(), at::kDouble);
  const at::Tensor rows = Ids({29, 0, 18});
  EXPECT_TRUE(at::equal(pairs.counts.to(at::kFloat), golden.at("act_cov_counts").index_select(0, rows)));
  EXPECT_TRUE(at::equal(pairs.sums.to(at::kFloat), golden.at("act_cov_sum").index_select(0, rows)));
}

TEST(SnapshotDataTest, GroupsAreThereWhenAllOfTheirTensorsAre) {
  ASSERT_OK_AND_ASSIGN(const SnapshotData golden,
                       SnapshotData::Create(GoldenTensors("tiny_stats_d_mlp_f32.safetensors"), kTiny));
  for (const StatisticsGroup group : {StatisticsGroup::kFeatures, StatisticsGroup::kPairs, StatisticsGroup::kGates,
                                      StatisticsGroup::kOutputs, StatisticsGroup::kUnits}) {
    EXPECT_OK(golden.Require(group)) << NameOf(group);
  }
  EXPECT_FALSE(golden.Has(StatisticsGroup::kPreActivations));
  EXPECT_THAT(golden.Require(StatisticsGroup::kPreActivations),
              AllOf(IsError(kPrecondition, reason::kSnapshotTensorMissing), MessageHas("PRE_ACTIVATIONS")));
}

TEST(SnapshotDataTest, APairGroupWithoutItsSumsIsNone) {
  ASSERT_OK_AND_ASSIGN(const SnapshotData data, SnapshotData::Create(Without(Snapshot(), "act_cov_sum_upper"), kShape));
  EXPECT_FALSE(data.Has(StatisticsGroup::kPairs));
  EXPECT_THAT(data.Pairs(Ids({0})), AllOf(IsError(kPrecondition, reason::kSnapshotTensorMissing), MessageHas("PAIRS")));
}

TEST(SnapshotDataTest, AMissingTensorSaysWhichGroupToCollect) {
  ASSERT_OK_AND_ASSIGN(const SnapshotData data, SnapshotData::Create(Without(Snapshot(), "act_gate_sum"), kShape));
  EXPECT_THAT(data.Tensor("act_gate_sum"), AllOf(IsError(kPrecondition, reason::kSnapshotTensorMissing),
                                                 MessageHas("act_gate_sum, which is one of the group GATES")));
  EXPECT_THAT(data.Tensor("nonsense"), IsError(kPrecondition, reason::kSnapshotTensorMissing));
  EXPECT_OK(data.Tensor("gate_act_counts"));
  for (const char* name : {"counts", "act_counts"}) {
    EXPECT_THAT(SnapshotData::Create(Without(Snapshot(), name), kShape),
                AllOf(IsError(kPrecondition, reason::kSnapshotTensorMissing), MessageHas(name)));
  }
}

TEST(SnapshotDataTest, ShapesThatContradictAreRefused) {
  const TensorMap good = Snapshot(Ids({5, 2, 0}));
  ASSERT_OK(SnapshotData::Create(good, kShape));
  for (const auto& [name, tensor] : good) {
    const at::Tensor longer = at::cat({tensor, tensor});
    if (name == "feat_ids") continue;
    EXPECT_THAT(SnapshotData::Create(With(good, name, longer), kShape),
                AllOf(IsError(kInvalid, reason::kTensorShapeMismatch), MessageHas(name)));
    EXPECT_THAT(SnapshotData::Create(With(good, name, tensor.slice(0, 0, 0)), kShape),
                AllOf(IsError(kInvalid, reason::kTensorShapeMismatch), MessageHas(name)));
  }
  EXPECT_THAT(SnapshotData::Create(With(good, "feat_ids", Ids({5, 2})), kShape),
              IsError(kInvalid, reason::kTensorShapeMismatch));
  EXPECT_THAT(SnapshotData::Create(Without(good, "feat_ids"), kShape), IsError(kInvalid, reason::kTensorShapeMismatch));
  EXPECT_THAT(SnapshotData::Create(With(good, "act_cov_sum", at::zeros({3, 6})), kShape),
              AllOf(IsError(kInvalid, reason::kTensorShapeMismatch), MessageHas("act_cov_sum has shape [3, 6]")));
}

TEST(SnapshotDataTest, NumbersOfAnotherKindAreRefused) {
  const TensorMap good = Snapshot();
  for (const at::ScalarType dtype : {at::kHalf, at::kByte, at::kBool, at::kComplexFloat}) {
    EXPECT_THAT(SnapshotData::Create(With(good, "act_counts", good.at("act_counts").to(dtype)), kShape),
                AllOf(IsError(kInvalid, reason::kTensorShapeMismatch), MessageHas("act_counts")));
  }
  EXPECT_THAT(SnapshotData::Create(With(good, "act_sum", good.at("act_sum").to(at::kLong)), kShape),
              IsError(kInvalid, reason::kTensorShapeMismatch));
  EXPECT_THAT(SnapshotData::Create(With(good, "mlp_out_sum", at::Tensor()), kShape),
              IsError(kInvalid, reason::kTensorShapeMismatch));
}

TEST(SnapshotDataTest, IdsThatAreNoneAreRefused) {
  const TensorMap good = Snapshot(Ids({5, 2, 0}), Ids({2, 0}));
  for (const char* name : {"feat_ids", "pair_ids"}) {
    const int64_t length = good.at(name).numel();
    EXPECT_THAT(SnapshotData::Create(With(good, name, at::full({length}, 6, at::kLong)), kShape),
                AllOf(IsError(kInvalid, reason::kFeatureOutOfRange), MessageHas(name)));
    EXPECT_THAT(SnapshotData::Create(With(good, name, at::full({length}, -1, at::kLong)), kShape),
                IsError(kInvalid, reason::kFeatureOutOfRange));
    EXPECT_THAT(SnapshotData::Create(With(good, name, at::zeros({length})), kShape),
                IsError(kInvalid, reason::kTensorShapeMismatch));
    EXPECT_THAT(SnapshotData::Create(With(good, name, at::zeros({length, 1}, at::kLong)), kShape),
                IsError(kInvalid, reason::kTensorShapeMismatch));
    EXPECT_THAT(SnapshotData::Create(With(good, name, Ids({4}).expand({int64_t{1} << 40})), kShape),
                IsError(kInvalid, reason::kTensorShapeMismatch));
  }
}

TEST(SnapshotDataTest, CountsThatAreNoneAreRefused) {
  const TensorMap good = Snapshot();
  EXPECT_THAT(SnapshotData::Create(With(good, "counts", at::zeros({1}, at::kLong)), kShape),
              IsError(kInvalid, reason::kEmptyInput));
  for (const double value : {-1.0, HUGE_VAL, std::numeric_limits<double>::quiet_NaN()}) {
    EXPECT_THAT(SnapshotData::Create(With(good, "counts", at::full({1}, value)), kShape),
                IsError(kInvalid, reason::kFileCorrupt));
    EXPECT_THAT(SnapshotData::Create(With(good, "act_counts", at::full({6}, value)), kShape),
                AllOf(IsError(kInvalid, reason::kFileCorrupt), MessageHas("act_counts")));
  }
}

TEST(SnapshotDataTest, PairCountsThatAreNoneAreReadAsSomeNumber) {
  TensorMap tensors = Snapshot();
  at::Tensor square = at::full({6, 6}, std::numeric_limits<float>::quiet_NaN());
  square[0][1] = std::numeric_limits<float>::infinity();
  square[0][2] = -5;
  tensors["act_cov_counts"] = square;
  tensors["act_cov_sum"] = at::zeros({6, 6});
  ASSERT_OK_AND_ASSIGN(const SnapshotData data, SnapshotData::Create(tensors, kShape));
  ASSERT_OK_AND_ASSIGN(const PairRows pairs, data.Pairs(Ids({0})));
  EXPECT_TRUE(at::equal(pairs.counts[0].slice(0, 0, 3), Ids({0, int64_t{1} << 53, 0})));
}

TEST(SnapshotDataTest, ASnapshotOfNoFeaturesHasNoRows) {
  ASSERT_OK_AND_ASSIGN(const SnapshotData data, SnapshotData::Create(Snapshot(at::empty({0}, at::kLong)), kShape));
  EXPECT_EQ(data.rows(), 0);
  ASSERT_OK_AND_ASSIGN(const PairRows pairs, data.Pairs(at::empty({0}, at::kLong)));
  EXPECT_EQ(pairs.counts.numel(), 0);
  EXPECT_THAT(data.Pairs(Ids({1})), IsError(kPrecondition, reason::kSnapshotTensorMissing));
}

TEST(SnapshotDataTest, OneFeatureIsASnapshot) {
  ASSERT_OK_AND_ASSIGN(const SnapshotData data, SnapshotData::Create(Snapshot(Ids({3})), kShape));
  ASSERT_OK_AND_ASSIGN(const PairRows pairs, data.Pairs(Ids({3})));
  EXPECT_EQ(pairs.counts.sizes(), at::IntArrayRef({1, 1}));
}

}  // namespace
}  // namespace superpose
