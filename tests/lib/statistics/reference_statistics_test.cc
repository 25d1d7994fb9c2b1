#include "lib/statistics/reference_statistics.h"

#include <ATen/ATen.h>

#include "lib/base/error.h"
#include "lib/statistics/snapshot_layout.h"
#include "tests/status_matchers.h"
#include "tests/support/golden.h"

namespace superpose {
namespace {

constexpr StatisticsShape kShape = {.d_sae = 4, .d_mlp = 3, .d_model = 2};

TensorMap RandomSums(const StatisticsOptions& options) {
  TensorMap tensors;
  for (const SnapshotTensor& tensor : SnapshotTensors(kShape, options, /*has_midcoder=*/true)) {
    tensors[tensor.name] = at::randint(1, 100, tensor.shape, at::kLong).to(tensor.dtype);
  }
  if (options.feature_ids.defined()) tensors["feat_ids"] = options.feature_ids;
  if (options.pair_ids.defined()) tensors["pair_ids"] = options.pair_ids;
  return tensors;
}

TEST(ReferenceStatisticsTest, PairsBecomeSymmetricSquares) {
  TensorMap sums = RandomSums({});
  sums["act_cov_counts_upper"] = at::arange(1, 11, at::kLong);  // rows 1 2 3 4 / 5 6 7 / 8 9 / 10
  ASSERT_OK_AND_ASSIGN(const TensorMap reference, ReferenceStatistics(sums));
  const at::Tensor wanted =
      at::tensor({1.0F, 2.0F, 3.0F, 4.0F, 2.0F, 5.0F, 6.0F, 7.0F, 3.0F, 6.0F, 8.0F, 9.0F, 4.0F, 7.0F, 9.0F, 10.0F});
  EXPECT_TRUE(at::equal(reference.at("act_cov_counts"), wanted.view({4, 4})));
  EXPECT_TRUE(at::equal(reference.at("act_cov_sum"), reference.at("act_cov_sum").t()));
  EXPECT_EQ(reference.count("act_cov_counts_upper"), 0U);
}

TEST(ReferenceStatisticsTest, TheReferencesTensorsAreThereInFloat32AndNoOthers) {
  TensorMap sums = RandomSums({});
  sums["W_mid"] = at::ones({4, 3});
  ASSERT_OK_AND_ASSIGN(const TensorMap reference, ReferenceStatistics(sums));
  const TensorMap golden = GoldenTensors("tiny_stats_d_mlp_f32.safetensors");
  for (const auto& [name, tensor] : reference) {
    EXPECT_EQ(golden.count(name), 1U) << name;
    EXPECT_EQ(tensor.scalar_type(), name == "feat_ids" ? at::kLong : at::kFloat) << name;
  }
  for (const auto& [name, tensor] : golden) EXPECT_EQ(reference.count(name), 1U) << name;
  EXPECT_TRUE(at::equal(reference.at("act_gate_sum"), sums.at("act_gate_sum").to(at::kFloat)));
  EXPECT_TRUE(at::equal(reference.at("feat_ids"), at::arange(4)));
}

TEST(ReferenceStatisticsTest, ChosenFeaturesKeepTheirIds) {
  StatisticsOptions options;
  options.feature_ids = at::tensor({3, 1, 3}, at::kLong);
  ASSERT_OK_AND_ASSIGN(const TensorMap reference, ReferenceStatistics(RandomSums(options)));
  EXPECT_TRUE(at::equal(reference.at("feat_ids"), options.feature_ids));
  EXPECT_EQ(reference.at("act_cov_sum").sizes(), at::IntArrayRef({3, 3}));
}

TEST(ReferenceStatisticsTest, GroupsThatWereNotCollectedAreLeftOut) {
  StatisticsOptions options;
  options.groups = {StatisticsGroup::kFeatures};
  ASSERT_OK_AND_ASSIGN(const TensorMap reference, ReferenceStatistics(RandomSums(options)));
  EXPECT_EQ(reference.count("act_counts"), 1U);
  EXPECT_EQ(reference.count("act_cov_counts"), 0U);
  EXPECT_EQ(reference.count("act_gate_sum"), 0U);
}

TEST(ReferenceStatisticsTest, OneOfTheReferencesComesBackAsItIs) {
  const TensorMap golden = GoldenTensors("tiny_stats_d_mlp_f32.safetensors");
  ASSERT_OK_AND_ASSIGN(const TensorMap reference, ReferenceStatistics(golden));
  ASSERT_EQ(reference.size(), golden.size());
  for (const auto& [name, tensor] : golden) EXPECT_TRUE(at::equal(reference.at(name), tensor)) << name;
}

TEST(ReferenceStatisticsTest, PairsOfOtherFeaturesHaveNoPlaceInIt) {
  StatisticsOptions options;
  options.pair_ids = at::tensor({1, 2}, at::kLong);
  EXPECT_THAT(ReferenceStatistics(RandomSums(options)),
              IsError(absl::StatusCode::kFailedPrecondition, reason::kFileUnsupported));
}

TEST(ReferenceStatisticsTest, SquaresOfMoreThanFourGigabytesAreRefused) {
  const int64_t features = 23171;
  TensorMap sums;
  sums["act_counts"] = at::zeros({1}, at::kLong).expand({features});
  sums["act_cov_counts_upper"] = at::zeros({1}, at::kLong).expand({TriangleSize(features)});
  EXPECT_THAT(ReferenceStatistics(sums), IsError(absl::StatusCode::kFailedPrecondition, reason::kFileUnsupported));
}

}  // namespace
}  // namespace superpose
