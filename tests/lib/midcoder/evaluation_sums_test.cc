#include "lib/midcoder/evaluation_sums.h"

#include <ATen/ATen.h>

#include <cmath>

#include "gtest/gtest.h"

namespace superpose {
namespace {

// Sums of sequences of one predicting position, with the cross-entropies given by variant.
EvaluationSums WithLosses(const std::array<std::vector<double>, kVariantNames.size()>& ce) {
  EvaluationSums sums(at::zeros({2}), 3);
  for (size_t v = 0; v < ce.size(); ++v) {
    const at::Tensor values = at::tensor(ce[v], at::kDouble).unsqueeze(1);
    sums.AddLosses(static_cast<EvaluationVariant>(v), values, at::zeros_like(values),
                   at::zeros({values.size(0)}, at::kBool));
  }
  return sums;
}

TEST(EvaluationSums, LossRecoveredIsTheShareOfTheGap) {
  const EvaluationResult result =
      WithLosses({{{1.0, 2.0}, {1.5, 2.5}, {1.0, 2.2}, {3.0, 4.1}, {3.0, 4.5}, {1.2, 2.2}}}).Result();
  EXPECT_NEAR(result.at("loss_recovered_midcoder"), (3.55 - 2.0) / 2.05, 1e-12);
  EXPECT_NEAR(result.at("loss_recovered_transcoder"), (3.55 - 1.6) / 2.05, 1e-12);
  EXPECT_NEAR(result.at("loss_recovered_mean"), (3.55 - 3.75) / 2.05, 1e-12);  // worse than zero: negative
  EXPECT_NEAR(result.at("loss_recovered_relu_gate"), (3.55 - 1.7) / 2.05, 1e-12);
  EXPECT_NEAR(result.at("se_ce_model"), 0.5, 1e-12);
}

TEST(EvaluationSums, LossRecoveredIsAbsentWhenTheGapIsNoise) {
  // Gaps 1 and 2 (mean 1.5, standard error 0.5): just enough. Gaps 1 and 2.1: not.
  EXPECT_EQ(WithLosses({{{0, 0}, {0, 0}, {0, 0}, {1, 2}, {0, 0}, {0, 0}}}).Result().count("loss_recovered_mean"), 1);
  EXPECT_EQ(WithLosses({{{0, 0}, {0, 0}, {0, 0}, {1, 2.1}, {0, 0}, {0, 0}}}).Result().count("loss_recovered_mean"), 0);
  // No gap at all, without noise; a gap the wrong way round.
  EXPECT_EQ(WithLosses({{{1, 1}, {1, 1}, {1, 1}, {1, 1}, {1, 1}, {1, 1}}}).Result().count("loss_recovered_mean"), 0);
  EXPECT_EQ(WithLosses({{{5, 5}, {0, 0}, {0, 0}, {1, 1}, {0, 0}, {0, 0}}}).Result().count("loss_recovered_mean"), 0);
}

// Two sequences of two predicting positions; the first starts with BOS.
EvaluationSums WithBos(const std::array<double, 4>& model, const std::array<double, 4>& zero) {
  EvaluationSums sums(at::zeros({2}), 3);
  for (size_t v = 0; v < kVariantNames.size(); ++v) {
    const auto& values = v == kZeroVariant ? zero : model;
    const at::Tensor ce = at::tensor(at::ArrayRef<double>(values), at::kDouble).view({2, 2});
    sums.AddLosses(static_cast<EvaluationVariant>(v), ce, at::zeros_like(ce), at::tensor({1, 0}).to(at::kBool));
  }
  return sums;
}

TEST(EvaluationSums, LossesWithoutBosLeaveItsPositionOut) {
  const EvaluationResult result = WithBos({9.0, 1.0, 2.0, 4.0}, {9.0, 6.0, 7.0, 8.0}).Result();
  EXPECT_DOUBLE_EQ(result.at("ce_model"), 16.0 / 4);
  EXPECT_DOUBLE_EQ(result.at("ce_model_no_bos"), 7.0 / 3);
  EXPECT_DOUBLE_EQ(result.at("se_ce_model"), 1.0);         // of 5 and 3
  EXPECT_DOUBLE_EQ(result.at("se_ce_model_no_bos"), 1.0);  // of 1 and 3
  // Gaps of 2.5 and 4.5, mean 3.5 and standard error 1; without BOS 5 and 4.5.
  EXPECT_DOUBLE_EQ(result.at("loss_recovered_midcoder"), 1.0);
  EXPECT_DOUBLE_EQ(result.at("loss_recovered_midcoder_no_bos"), 1.0);
}

TEST(EvaluationSums, AFigureThatIsNotFiniteIsAbsent) {
  const double nan = std::nan("");
  EvaluationResult result = WithBos({9.0, nan, 2.0, 4.0}, {9.0, 6.0, 7.0, 8.0}).Result();
  for (const auto& [name, value] : result) EXPECT_TRUE(std::isfinite(value)) << name;
  EXPECT_EQ(result.count("ce_model") + result.count("se_ce_model") + result.count("ce_model_no_bos"), 0);
  EXPECT_EQ(result.count("ce_zero"), 1);
  result = WithBos({nan, 1.0, 2.0, 4.0}, {9.0, 6.0, 7.0, 8.0}).Result();  // at BOS alone
  EXPECT_EQ(result.count("ce_model"), 0);
  EXPECT_DOUBLE_EQ(result.at("ce_model_no_bos"), 7.0 / 3);
}

TEST(EvaluationSums, ErrorsAreDividedByTheirWidthAndSplitByBos) {
  EvaluationSums sums(at::zeros({2}), 3);
  const at::Tensor errors = at::tensor({6.0, 12.0, 18.0, 24.0}, at::kDouble).view({2, 2});
  const at::Tensor out = at::tensor({100.0f, 0.0f, 1.0f, 3.0f, 2.0f, 1.0f, 3.0f, 2.0f}).view({2, 2, 2});
  sums.AddErrors({errors, errors, errors}, out, at::tensor({1, 0}).to(at::kBool));
  const EvaluationResult result = sums.Result();
  EXPECT_DOUBLE_EQ(result.at("mse_mid"), 15.0 / 3);
  EXPECT_DOUBLE_EQ(result.at("mse_mid_no_bos"), 18.0 / 3);
  EXPECT_DOUBLE_EQ(result.at("mse_out"), 15.0 / 2);
  // Outputs: (100, 0), (1, 3), (2, 1), (3, 2) about (26.5, 1.5); but BOS about (2, 2): squared deviations sum to 4.
  EXPECT_DOUBLE_EQ(result.at("fvu_midcoder"), (6.0 + 12.0 + 18.0 + 24.0) / (7205.0 + 5.0));
  EXPECT_DOUBLE_EQ(result.at("fvu_midcoder_no_bos"), (12.0 + 18.0 + 24.0) / 4);
  EXPECT_DOUBLE_EQ(result.at("fvu_transcoder_no_bos"), (12.0 + 18.0 + 24.0) / 4);
  EXPECT_EQ(result.at("tokens"), 4);
}

TEST(EvaluationSums, AnOutputWithoutVarianceHasNoShareOfIt) {
  EvaluationSums sums(at::zeros({2}), 3);
  const at::Tensor errors = at::ones({1, 2}, at::kDouble);
  sums.AddErrors({errors, errors, errors}, at::zeros({1, 2, 2}), at::zeros({1}, at::kBool));
  EXPECT_EQ(sums.Result().count("fvu_midcoder"), 0);
  EXPECT_EQ(sums.Result().count("fvu_midcoder_no_bos"), 0);
}

}  // namespace
}  // namespace superpose
