#include "lib/statistics/analysis/frequency_order.h"

#include "tests/lib/statistics/analysis/analysis_rig.h"

namespace superpose {
namespace {

TEST(FrequencyOrder, IsTheNotebooks) {
  const GoldenAnalyses golden("f64");
  ASSERT_OK_AND_ASSIGN(const FrequencyOrder order,
                       OrderByFrequency(*golden.transcoder, nullptr, FrequencySource::kDefault));
  EXPECT_TRUE(at::equal(order.features, golden.notebook.at("sort_ids").to(at::kLong)));
  const at::Tensor ids = golden.notebook.at("feat_ids").to(at::kLong);
  EXPECT_TRUE(at::equal(order.ranks.index_select(0, ids), golden.notebook.at("feat_sort_ids").to(at::kLong)));
}

TEST(FrequencyOrder, GoesThereAndBack) {
  const GoldenAnalyses golden("f64");
  ASSERT_OK_AND_ASSIGN(const FrequencyOrder order,
                       OrderByFrequency(*golden.transcoder, nullptr, FrequencySource::kTraining));
  EXPECT_TRUE(at::equal(order.ranks.index_select(0, order.features), at::arange(256, at::kLong)));
}

TEST(FrequencyOrder, OfASnapshotLeavesOutWhatItDoesNotCover) {
  const GoldenAnalyses golden("f64");
  ASSERT_OK_AND_ASSIGN(const FrequencyOrder order,
                       OrderByFrequency(*golden.transcoder, golden.snapshot.get(), FrequencySource::kSnapshot));
  const at::Tensor covered = golden.snapshot->feature_ids();
  EXPECT_EQ(order.ranks.ge(0).sum().item<int64_t>(), order.features.numel());
  EXPECT_TRUE(order.ranks.index_select(0, covered).ge(0).all().item<bool>());
  EXPECT_LT(order.features.numel(), 256);
  const at::Tensor counts =
      at::zeros({256}, at::kDouble).index_copy_(0, covered, golden.snapshot->ActCounts().to(at::kDouble));
  EXPECT_LE(counts.index_select(0, order.features).diff().max().item<double>(), 0);
  EXPECT_TRUE(at::equal(order.ranks.index_select(0, order.features), at::arange(order.features.numel(), at::kLong)));
}

TEST(FrequencyOrder, GivesTiesToTheSmallerId) {
  const auto transcoder = TinyTranscoder(5, at::tensor({-9., -1., -2., -1., -9.}, at::kFloat));
  ASSERT_NE(transcoder, nullptr);
  ASSERT_OK_AND_ASSIGN(const FrequencyOrder order, OrderByFrequency(*transcoder, nullptr, FrequencySource::kDefault));
  EXPECT_TRUE(at::equal(order.features, at::tensor({1, 3, 2, 0, 4}, at::kLong)));
}

TEST(FrequencyOrder, NeedsFrequencies) {
  const auto transcoder = TinyTranscoder(5);
  ASSERT_NE(transcoder, nullptr);
  for (const auto by : {FrequencySource::kDefault, FrequencySource::kTraining, FrequencySource::kSnapshot}) {
    EXPECT_THAT(OrderByFrequency(*transcoder, nullptr, by),
                IsError(absl::StatusCode::kFailedPrecondition, reason::kFrequenciesMissing));
  }
}

}  // namespace
}  // namespace superpose
