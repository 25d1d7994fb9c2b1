#include <ATen/ATen.h>

#include "lib/base/error.h"
#include "lib/statistics/layer_statistics.h"
#include "tests/lib/statistics/statistics_rig.h"

namespace superpose {
namespace {

constexpr StatisticsShape kShape{.d_sae = 50, .d_mlp = 6, .d_model = 4};

std::string ReasonOfCreate(const StatisticsOptions& options, bool has_midcoder = false,
                           const StatisticsShape& shape = kShape) {
  return ReasonOf(LayerStatistics::Create(shape, options, has_midcoder, at::kCPU).status());
}
StatisticsOptions Choose(const at::Tensor& features, const at::Tensor& pairs = {}) {
  StatisticsOptions options;
  options.feature_ids = features;
  options.pair_ids = pairs;
  return options;
}
at::Tensor Ids(const std::vector<int64_t>& ids) { return at::tensor(ids, at::kLong); }

TEST(LayerStatisticsErrors, OptionsThatCannotBeMet) {
  StatisticsOptions midcoder;
  midcoder.gate = GateSource::kMidcoder;
  EXPECT_EQ(ReasonOfCreate(midcoder), reason::kConfigInvalid);
  EXPECT_EQ(ReasonOfCreate(midcoder, /*has_midcoder=*/true), "");
  EXPECT_EQ(ReasonOfCreate(Choose(Ids({50}))), reason::kFeatureOutOfRange);
  EXPECT_EQ(ReasonOfCreate(Choose(Ids({3, -1}))), reason::kFeatureOutOfRange);
  EXPECT_EQ(ReasonOfCreate(Choose({}, Ids({50}))), reason::kFeatureOutOfRange);
  EXPECT_EQ(ReasonOfCreate(Choose(at::empty({0}, at::kLong))), reason::kEmptySelection);
  EXPECT_EQ(ReasonOfCreate(Choose({}, at::empty({0}, at::kLong))), reason::kEmptySelection);
  EXPECT_EQ(ReasonOfCreate(Choose({}, Ids({3, 4, 3}))), reason::kConfigInvalid);
  EXPECT_EQ(ReasonOfCreate(Choose(Ids({3, 4, 3}), Ids({3, 5}))), reason::kConfigInvalid);
  EXPECT_EQ(ReasonOfCreate(Choose(Ids({3, 4}).to(at::kInt))), reason::kConfigInvalid);
  EXPECT_EQ(ReasonOfCreate(Choose(Ids({3, 4}).view({1, 2}))), reason::kConfigInvalid);
}

TEST(LayerStatisticsErrors, SumsThatDoNotFitInMemory) {
  EXPECT_EQ(ReasonOfCreate({}, false, {.d_sae = 100'000'000, .d_mlp = 6, .d_model = 4}), reason::kOutOfMemory);
}

class LayerStatisticsRestore : public testing::Test {
 protected:
  void SetUp() override {
    at::manual_seed(1);
    auto made = LayerStatistics::Create(kShape, {}, false, at::kCPU);
    ASSERT_OK(made);
    statistics_ = *std::move(made);
    statistics_->Begin(WithoutMid(RandomRows(9, kShape)));
    while (!statistics_->idle()) statistics_->RunUnit();
    before_ = CopyOf(statistics_->Tensors());
    for (const auto& [name, tensor] : before_) other_[name] = tensor + 1;
  }
  void ExpectRefused(absl::string_view reason) {
    EXPECT_EQ(ReasonOf(statistics_->Restore(other_)), reason);
    ExpectSameBits(statistics_->Tensors(), before_);
  }

  std::unique_ptr<LayerStatistics> statistics_;
  TensorMap before_;
  TensorMap other_;
};

TEST_F(LayerStatisticsRestore, ChangesNothingWhereATensorIsMissing) {
  other_.erase("pre_relu_cov_sum");
  ExpectRefused(reason::kTensorMissing);
}
TEST_F(LayerStatisticsRestore, ChangesNothingWhereAShapeDiffers) {
  other_["mlp_out_sum"] = other_["mlp_out_sum"].slice(0, 1);
  ExpectRefused(reason::kTensorShapeMismatch);
}
TEST_F(LayerStatisticsRestore, ChangesNothingWhereATypeDiffers) {
  other_["gate_counts"] = other_["gate_counts"].to(at::kDouble);
  ExpectRefused(reason::kTensorShapeMismatch);
}
TEST_F(LayerStatisticsRestore, TakesAllOfIt) {
  EXPECT_OK(statistics_->Restore(other_));
  ExpectSameBits(statistics_->Tensors(), other_);
}

}  // namespace
}  // namespace superpose
