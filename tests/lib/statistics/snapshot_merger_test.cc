#include "lib/statistics/snapshot_merger.h"

#include <ATen/ATen.h>

#include <cstdint>
#include <limits>

#include "lib/statistics/snapshot_layout.h"
#include "tests/status_matchers.h"
#include "tests/support/golden.h"

namespace superpose {
namespace {

using ::testing::AllOf;

constexpr StatisticsShape kShape = {.d_sae = 5, .d_mlp = 3, .d_model = 2};
constexpr auto kPrecondition = absl::StatusCode::kFailedPrecondition;

// Sums with small random whole numbers, of which float64 sums are exact.
TensorMap RandomSums(const StatisticsOptions& options) {
  TensorMap tensors;
  for (const SnapshotTensor& tensor : SnapshotTensors(kShape, options, /*has_midcoder=*/true)) {
    tensors[tensor.name] = at::randint(0, 100, tensor.shape, at::kLong).to(tensor.dtype);
  }
  if (options.feature_ids.defined()) tensors["feat_ids"] = options.feature_ids;
  if (options.pair_ids.defined()) tensors["pair_ids"] = options.pair_ids;
  return tensors;
}

TEST(MergeSnapshotsTest, CountsAndSumsAddUpAndMaximaAreTheLarger) {
  StatisticsOptions options;
  options.feature_ids = at::tensor({4, 1, 4}, at::kLong);
  const TensorMap first = RandomSums(options), second = RandomSums(options);
  ASSERT_OK_AND_ASSIGN(const TensorMap merged, MergeSnapshots(first, second));
  ASSERT_EQ(merged.size(), first.size());
  for (const auto& [name, tensor] : merged) {
    at::Tensor wanted = at::add(first.at(name), second.at(name));
    if (name == "act_max") wanted = at::maximum(first.at(name), second.at(name));
    if (name == "feat_ids") wanted = options.feature_ids;
    EXPECT_EQ(tensor.scalar_type(), first.at(name).scalar_type()) << name;
    EXPECT_TRUE(at::equal(tensor, wanted)) << name;
  }
}

TEST(MergeSnapshotsTest, CountsStayExactBeyondWhatFloatsHold) {
  const TensorMap first = {{"counts", at::full({1}, (int64_t{1} << 53) + 1, at::kLong)}};
  const TensorMap second = {{"counts", at::full({1}, 2, at::kLong)}};
  ASSERT_OK_AND_ASSIGN(const TensorMap merged, MergeSnapshots(first, second));
  EXPECT_EQ(merged.at("counts").item<int64_t>(), (int64_t{1} << 53) + 3);
}

TEST(MergeSnapshotsTest, SnapshotsOfTheReferenceBecomeExactOnes) {
  const TensorMap golden = GoldenTensors("tiny_stats_d_mlp_f32.safetensors");
  ASSERT_OK_AND_ASSIGN(const TensorMap merged, MergeSnapshots(golden, golden));
  EXPECT_TRUE(at::equal(merged.at("feat_ids"), golden.at("feat_ids")));
  EXPECT_EQ(merged.at("act_cov_counts").scalar_type(), at::kLong);
  EXPECT_TRUE(at::equal(merged.at("act_cov_counts"), golden.at("act_cov_counts").to(at::kLong).mul(2)));
  EXPECT_TRUE(at::equal(merged.at("act_gate_sum"), golden.at("act_gate_sum").to(at::kDouble).mul(2)));
  EXPECT_EQ(merged.at("counts").item<int64_t>(), 25600);
}

TEST(MergeSnapshotsTest, SeveralAreMergedUnitByUnit) {
  const auto part = [](int64_t first, float largest) {
    return TensorMap{{"act_cov_counts_upper", at::arange(first, first + 5'000'000, at::kLong)},
                     {"act_max", at::full({2}, largest)},
                     {"pair_ids", at::tensor({4, 1}, at::kLong)}};
  };
  ASSERT_OK_AND_ASSIGN(SnapshotMerger merger, SnapshotMerger::Create({part(0, 1), part(7, 3), part(2, 2)}));
  int64_t units = 0;
  for (; !merger.done(); ++units) {
    EXPECT_LT(merger.bytes_done(), merger.bytes_total());
    ASSERT_OK(merger.RunUnit());
  }
  EXPECT_GT(units, 3);
  EXPECT_EQ(merger.bytes_done(), merger.bytes_total());
  EXPECT_TRUE(at::equal(merger.merged().at("act_cov_counts_upper"), at::arange(5'000'000, at::kLong).mul(3).add(9)));
  EXPECT_TRUE(at::equal(merger.merged().at("act_max"), at::full({2}, 3.0F)));
}

TEST(MergeSnapshotsTest, OneAloneIsNotMerged) {
  EXPECT_THAT(SnapshotMerger::Create({RandomSums({})}),
              IsError(absl::StatusCode::kInvalidArgument, reason::kConfigInvalid));
}

TEST(MergeSnapshotsTest, AMissingTensorIsNamed) {
  const TensorMap both = RandomSums({});
  TensorMap one = both;
  one.erase("gate_counts");
  EXPECT_THAT(MergeSnapshots(one, both),
              AllOf(IsError(kPrecondition, reason::kSnapshotMismatch), MessageHas("gate_counts")));
  EXPECT_THAT(MergeSnapshots(both, one),
              AllOf(IsError(kPrecondition, reason::kSnapshotMismatch), MessageHas("gate_counts")));
}

TEST(MergeSnapshotsTest, AnotherShapeIsNamed) {
  const TensorMap both = RandomSums({});
  TensorMap one = both;
  one["act_sum"] = at::zeros({1}, at::kDouble);  // would be broadcast
  EXPECT_THAT(MergeSnapshots(one, both), AllOf(IsError(kPrecondition, reason::kSnapshotMismatch),
                                               MessageHas("act_sum has shape [1] in one of the snapshots and [5]")));
}

TEST(MergeSnapshotsTest, IdsInAnotherOrderAreOthers) {
  StatisticsOptions options;
  options.feature_ids = at::tensor({3, 1}, at::kLong);
  const TensorMap first = RandomSums(options);
  TensorMap second = first;
  second["feat_ids"] = at::tensor({1, 3}, at::kLong);
  EXPECT_THAT(MergeSnapshots(first, second),
              AllOf(IsError(kPrecondition, reason::kSnapshotMismatch), MessageHas("feat_ids differ")));
}

TEST(MergeSnapshotsTest, ParametersAreComparedBitForBit) {
  TensorMap first = RandomSums({});
  first["b_mid"] = at::tensor({0.0F, std::numeric_limits<float>::quiet_NaN(), 1.0F});
  TensorMap second = first;
  second["b_mid"] = first["b_mid"].clone();
  ASSERT_OK_AND_ASSIGN(const TensorMap merged, MergeSnapshots(first, second));
  EXPECT_TRUE(merged.at("b_mid").is_alias_of(first["b_mid"]));
  second["b_mid"][0] = -0.0F;
  EXPECT_THAT(MergeSnapshots(first, second),
              AllOf(IsError(kPrecondition, reason::kSnapshotMismatch), MessageHas("b_mid differ")));
  second["b_mid"] = first["b_mid"].to(at::kDouble);
  EXPECT_THAT(MergeSnapshots(first, second), IsError(kPrecondition, reason::kSnapshotMismatch));
}

TEST(MergeSnapshotsTest, NeitherOfThemIsChanged) {
  const TensorMap first = RandomSums({}), second = RandomSums({});
  const at::Tensor before = first.at("act_sum").clone();
  ASSERT_OK_AND_ASSIGN(TensorMap merged, MergeSnapshots(first, second));
  merged["act_sum"].fill_(-1);
  EXPECT_TRUE(at::equal(first.at("act_sum"), before));
}

}  // namespace
}  // namespace superpose
