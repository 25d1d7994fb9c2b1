// The terms' losses and gradients against autograd and finite differences.
#include <ATen/ATen.h>

#include <memory>

#include "gtest/gtest.h"
#include "lib/factorization/code_pursuit.h"
#include "lib/factorization/decoder_term.h"
#include "lib/factorization/factor_pairs.h"
#include "tests/lib/factorization/dense_factorization.h"
#include "tests/support/golden.h"

namespace superpose {
namespace {

constexpr double kTheta = 0.3;

LossAndGradient RunPairs(const at::Tensor& factors, double theta, double scale) {
  FactorPairs pairs(factors.size(0), theta);
  const at::Tensor rows = factors.to(at::kFloat), gradient = at::zeros_like(rows);
  pairs.Begin();
  while (!pairs.RunTile(rows, gradient, scale)) continue;
  return {pairs.loss(), gradient};
}

LossAndGradient RunTerm(DecoderTerm& term, const at::Tensor& batch, const at::Tensor& factors) {
  const at::Tensor rows = batch.to(at::kFloat), units = factors.to(at::kFloat);
  const at::Tensor gradient = at::full_like(units, NAN);  // what was there must not matter
  term.Begin(rows);
  while (!term.RunUnit(units, gradient)) continue;
  return {term.loss(), gradient};
}

LossAndGradient RunForm(const FactorizerConfig& config, const at::Tensor& batch, const at::Tensor& factors) {
  return RunTerm(*MakeDecoderTerm(config, batch.size(0), batch.size(1)), batch, factors);
}

FactorizerConfig Config(FactorForm form, int64_t factors) {
  FactorizerConfig config;
  config.form = form;
  config.factors = factors;
  config.codes = 3;
  config.theta = kTheta;
  return config;
}

// The slope of `loss` along `direction` by central differences in float64.
double Slope(const at::Tensor& at, const at::Tensor& direction,
             const std::function<at::Tensor(const at::Tensor&)>& loss) {
  constexpr double kStep = 1e-6;
  return (loss(at + kStep * direction) - loss(at - kStep * direction)).item<double>() / (2 * kStep);
}

TEST(FactorPairs, AreTheDenseTermForSizesAroundATile) {
  for (const int64_t m : {1, 2, 17, 1023, 1024, 1025, 2100}) {
    const at::Tensor factors = SomeUnitRows(m, 24);
    const LossAndGradient dense =
        Differentiate(factors, [&](const at::Tensor& f) { return DenseFactorTerm(f, kTheta); });
    const LossAndGradient ours = RunPairs(factors, kTheta, 1);
    EXPECT_NEAR(ours.loss, dense.loss, 1e-6 * dense.loss + 1e-13) << m;
    // The diagonal's own share, rounding of |f|^2 - 1, is all there is with one factor.
    if (m > 1) {
      EXPECT_LT(RelativeError(ours.gradient, dense.gradient), 1e-5) << m;
    }
  }
}

TEST(FactorPairs, GradientIsTheSlopeOfTheLossWithItsWeight) {
  const at::Tensor factors = SomeUnitRows(40, 8), direction = SomeUnitRows(40, 8, 1.7);
  const double slope = Slope(factors, direction, [&](const at::Tensor& f) { return DenseFactorTerm(f, kTheta); });
  const LossAndGradient ours = RunPairs(factors, kTheta, 1);
  EXPECT_NEAR((ours.gradient.to(at::kDouble) * direction).sum().item<double>(), slope, 1e-5 * std::abs(slope));
}

TEST(FactorPairs, AddToTheGradientAndScaleIt) {
  const at::Tensor factors = SomeUnitRows(30, 8), rows = factors.to(at::kFloat);
  const at::Tensor once = RunPairs(factors, kTheta, 1).gradient, gradient = at::ones_like(rows);
  FactorPairs pairs(30, kTheta);
  for (int round = 0; round < 2; ++round) {
    pairs.Begin();
    while (!pairs.RunTile(rows, gradient, 0.25)) continue;
  }
  EXPECT_LT(LargestError(gradient, 1 + 0.5 * once.to(at::kDouble)), 1e-6);
}

TEST(GramTerm, IsTheDenseTermForBatchesAroundATile) {
  for (const auto& [rows, m] :
       {std::pair<int64_t, int64_t>{1, 3}, {2, 40}, {50, 96}, {1024, 7}, {1100, 60}, {2060, 1030}}) {
    const at::Tensor batch = SomeUnitRows(rows, 20), factors = SomeUnitRows(m, 20, 1.3);
    const LossAndGradient dense =
        Differentiate(factors, [&](const at::Tensor& f) { return DenseGramTerm(batch, f, kTheta); });
    const LossAndGradient ours = RunForm(Config(FactorForm::kGram, m), batch, factors);
    EXPECT_NEAR(ours.loss, dense.loss, 2e-6 * dense.loss) << rows;
    EXPECT_LT(RelativeError(ours.gradient, dense.gradient), 5e-6) << rows << " rows, " << m << " factors";
  }
}

TEST(GramTerm, HoldsForWidthsAroundAPanel) {
  for (const int64_t d : {2, 255, 256, 257, 600}) {
    const at::Tensor batch = SomeUnitRows(30, d), factors = SomeUnitRows(20, d, 1.3);
    const LossAndGradient dense =
        Differentiate(factors, [&](const at::Tensor& f) { return DenseGramTerm(batch, f, kTheta); });
    const LossAndGradient ours = RunForm(Config(FactorForm::kGram, 20), batch, factors);
    EXPECT_NEAR(ours.loss, dense.loss, 2e-6 * dense.loss) << d;
    EXPECT_LT(RelativeError(ours.gradient, dense.gradient), 5e-6) << d;
  }
}

TEST(GramTerm, TakesAShorterBatchAfterAFullOne) {
  const at::Tensor factors = SomeUnitRows(30, 12), full = SomeUnitRows(40, 12, 1.3), rest = SomeUnitRows(7, 12, 1.9);
  const FactorizerConfig config = Config(FactorForm::kGram, 30);
  const std::unique_ptr<DecoderTerm> term = MakeDecoderTerm(config, 40, 12);
  RunTerm(*term, full, factors);
  const LossAndGradient after = RunTerm(*term, rest, factors), alone = RunForm(config, rest, factors);
  EXPECT_EQ(after.loss, alone.loss);
  EXPECT_TRUE(at::equal(after.gradient, alone.gradient));
}

// The factors taken, to hold them while something else moves.
at::Tensor Ids(const at::Tensor& batch, const at::Tensor& factors, int64_t codes) {
  CodePursuit pursuit(batch.size(0), factors.size(0), batch.size(1), codes);
  const at::Tensor rows = batch.to(at::kFloat), units = factors.to(at::kFloat);
  pursuit.Begin(rows);
  while (!pursuit.RunBlock(units)) continue;
  return pursuit.ids().clone();
}

TEST(TopKTerm, GradientIsAutogradsThroughTheMagnitudes) {
  const at::Tensor batch = SomeUnitRows(40, 16), factors = SomeUnitRows(60, 16, 1.3);
  const at::Tensor ids = Ids(batch, factors, 3);
  const LossAndGradient dense =
      Differentiate(factors, [&](const at::Tensor& f) { return DenseTopKTerm(batch, f, ids); });
  const LossAndGradient ours = RunForm(Config(FactorForm::kTopK, 60), batch, factors);
  EXPECT_NEAR(ours.loss, dense.loss, 1e-6 * dense.loss);
  EXPECT_LT(RelativeError(ours.gradient, dense.gradient), 1e-5);
}

TEST(TopKTerm, GradientIsTheSlopeOfTheLoss) {
  const at::Tensor batch = SomeUnitRows(40, 16), factors = SomeUnitRows(60, 16, 1.3);
  const at::Tensor direction = SomeUnitRows(60, 16, 1.7), ids = Ids(batch, factors, 3);
  const double slope = Slope(factors, direction, [&](const at::Tensor& f) { return DenseTopKTerm(batch, f, ids); });
  const LossAndGradient ours = RunForm(Config(FactorForm::kTopK, 60), batch, factors);
  EXPECT_NEAR((ours.gradient.to(at::kDouble) * direction).sum().item<double>(), slope, 1e-4 * std::abs(slope));
}

TEST(TopKTerm, GoesThroughBatchesOfMoreThanATile) {
  const at::Tensor batch = SomeUnitRows(1100, 8), factors = SomeUnitRows(1030, 8, 1.3);
  const at::Tensor first = batch.narrow(0, 0, 1024), second = batch.narrow(0, 1024, 76);
  const FactorizerConfig config = Config(FactorForm::kTopK, 1030);
  const LossAndGradient both = RunForm(config, batch, factors);
  const LossAndGradient one = RunForm(config, first, factors), two = RunForm(config, second, factors);
  EXPECT_NEAR(both.loss, (1024 * one.loss + 76 * two.loss) / 1100, 1e-6);
  EXPECT_LT(RelativeError(both.gradient, (1024 * one.gradient + 76 * two.gradient) / 1100), 1e-5);
}

}  // namespace
}  // namespace superpose
