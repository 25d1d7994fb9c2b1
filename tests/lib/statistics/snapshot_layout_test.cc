#include "lib/statistics/snapshot_layout.h"

#include <ATen/ATen.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace superpose {
namespace {

constexpr StatisticsShape kShape = {.d_sae = 5, .d_mlp = 3, .d_model = 2};

std::map<std::string, SnapshotTensor> Layout(const StatisticsOptions& options, bool has_midcoder = true) {
  std::map<std::string, SnapshotTensor> layout;
  for (const SnapshotTensor& tensor : SnapshotTensors(kShape, options, has_midcoder)) {
    EXPECT_TRUE(layout.emplace(tensor.name, tensor).second) << tensor.name << " stands twice";
  }
  return layout;
}

TEST(SnapshotTensorsTest, AllGroupsOfAllFeatures) {
  const auto layout = Layout({});
  ASSERT_EQ(layout.size(), 23);
  EXPECT_EQ(layout.at("counts").shape, std::vector<int64_t>({1}));
  EXPECT_EQ(layout.at("act_max").dtype, at::kFloat);
  EXPECT_EQ(layout.at("act_log2_histogram").shape, std::vector<int64_t>({5, 32}));
  EXPECT_EQ(layout.at("act_cov_counts_upper").shape, std::vector<int64_t>({15}));
  EXPECT_EQ(layout.at("act_cov_counts_upper").dtype, at::kLong);
  EXPECT_EQ(layout.at("act_cov_sum_upper").dtype, at::kDouble);
  EXPECT_EQ(layout.at("gate_act_counts").dtype, at::kLong);
  EXPECT_EQ(layout.at("pre_relu_sq_sum_act").shape, std::vector<int64_t>({5, 3}));
  EXPECT_EQ(layout.at("mlp_out_sum_no_act").shape, std::vector<int64_t>({5, 2}));
  EXPECT_EQ(layout.at("pre_relu_cov_sum").shape, std::vector<int64_t>({3, 3}));
  EXPECT_EQ(layout.at("mlp_out_cov_sum").shape, std::vector<int64_t>({2, 2}));
  EXPECT_EQ(layout.at("mid_sum").group, StatisticsGroup::kUnits);
}

TEST(SnapshotTensorsTest, FeaturesAreThereWhateverIsAskedFor) {
  StatisticsOptions options;
  options.groups = {};
  const auto layout = Layout(options);
  EXPECT_EQ(layout.size(), 6);
  for (const auto& [name, tensor] : layout) EXPECT_EQ(tensor.group, StatisticsGroup::kFeatures) << name;
}

TEST(SnapshotTensorsTest, ChosenFeaturesHaveTheirIdsAndSizes) {
  StatisticsOptions options;
  options.feature_ids = at::tensor({4, 1, 4, 0}, at::kLong);
  options.pair_ids = at::tensor({4, 0}, at::kLong);
  const auto layout = Layout(options);
  EXPECT_EQ(layout.at("feat_ids").shape, std::vector<int64_t>({4}));
  EXPECT_EQ(layout.at("pair_ids").shape, std::vector<int64_t>({2}));
  EXPECT_EQ(layout.at("act_counts").shape, std::vector<int64_t>({4}));
  EXPECT_EQ(layout.at("act_cov_sum_upper").shape, std::vector<int64_t>({3}));
  options.groups.erase(StatisticsGroup::kPairs);
  EXPECT_EQ(Layout(options).count("pair_ids"), 0);
}

TEST(SnapshotTensorsTest, WithoutAMidcoderThereAreNoMids) {
  const auto layout = Layout({}, /*has_midcoder=*/false);
  EXPECT_EQ(layout.count("mid_sum") + layout.count("gate_mid_sum"), 0);
  EXPECT_EQ(layout.count("gate_counts"), 1);
}

TEST(SnapshotTensorsTest, TrianglesOfManyFeaturesDoNotOverflow) {
  EXPECT_EQ(TriangleSize(0), 0);
  EXPECT_EQ(TriangleSize(1), 1);
  EXPECT_EQ(TriangleSize(4), 10);
  EXPECT_EQ(TriangleSize(5), 15);
  EXPECT_EQ(TriangleSize((int64_t{1} << 31) - 1), 2305843008139952128);
}

}  // namespace
}  // namespace superpose
