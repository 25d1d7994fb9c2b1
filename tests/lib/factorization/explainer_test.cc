#include "lib/factorization/explainer.h"

#include <ATen/ATen.h>

#include "gtest/gtest.h"
#include "tests/lib/factorization/dense_factorization.h"
#include "tests/support/golden.h"

namespace superpose {
namespace {

Explanation Explain(const ExplainRule& rule, const at::Tensor& decoders, const at::Tensor& directions) {
  Explainer explainer(rule, decoders.to(at::kFloat), directions.to(at::kFloat));
  while (!explainer.RunUnit()) continue;
  return explainer.explanation();
}

constexpr ExplainRule kGramRule{.form = FactorForm::kGram, .theta = 0.3};

TEST(Explainer, TopKFiguresAreThoseOfTheCodes) {
  const at::Tensor decoders = SomeUnitRows(1100, 12), directions = SomeUnitRows(1200, 12, 1.3);
  const Explanation explanation = Explain({.codes = 3}, decoders, directions);
  at::Tensor images = at::zeros_like(decoders);
  for (int64_t c = 0; c < 3; ++c) {
    const at::Tensor rows = directions.index_select(0, explanation.ids.select(1, c).clamp_min(0).to(at::kLong));
    images += explanation.values.select(1, c).unsqueeze(1) * rows;
  }
  EXPECT_LT(LargestError(explanation.error, (decoders - images).square().sum(1)), 1e-6);
  EXPECT_LT(LargestError(explanation.cosine, (UnitRows(images) * decoders).sum(1)), 1e-5);
  EXPECT_TRUE(at::equal(explanation.counts, explanation.ids.ge(0).sum(1)));
  EXPECT_EQ(explanation.uses.sum().item<int64_t>(), explanation.counts.sum().item<int64_t>());
  EXPECT_EQ(explanation.uses[5].item<int64_t>(), explanation.ids.eq(5).sum().item<int64_t>());
}

TEST(Explainer, GramFiguresAreThoseAfterTheBestScalar) {
  const at::Tensor decoders = SomeUnitRows(1100, 12), directions = SomeUnitRows(1200, 12, 1.3);
  const Explanation explanation = Explain(kGramRule, decoders, directions);
  const at::Tensor similarities = decoders.mm(directions.t()), images = similarities.mm(directions);
  const at::Tensor scalars = (images * decoders).sum(1) / images.square().sum(1);
  const at::Tensor left = decoders - scalars.unsqueeze(1) * images;
  EXPECT_LT(LargestError(explanation.error, left.square().sum(1)), 1e-5);
  EXPECT_LT(LargestError(explanation.cosine, (UnitRows(images) * decoders).sum(1)), 1e-5);
  // Similarities at the limit may round to either side.
  EXPECT_LE(LargestError(explanation.counts, similarities.abs().gt(0.3).sum(1)), 1);
  EXPECT_LE(LargestError(explanation.uses, similarities.abs().gt(0.3).sum(0)), 1);
  EXPECT_FALSE(explanation.ids.defined());
}

TEST(Explainer, ADecoderThatNothingExplains) {
  const at::Tensor eye = at::eye(4, at::kDouble), decoder = eye.narrow(0, 3, 1), directions = eye.narrow(0, 0, 2);
  const Explanation topk = Explain({.codes = 5}, decoder, directions), gram = Explain(kGramRule, decoder, directions);
  for (const Explanation* explanation : {&topk, &gram}) {
    EXPECT_EQ(explanation->error[0].item<float>(), 1);
    EXPECT_EQ(explanation->cosine[0].item<float>(), 0);
  }
  EXPECT_EQ(topk.ids.size(1), 2);  // no more codes than directions
  EXPECT_EQ(topk.counts[0].item<int64_t>(), 0);
  EXPECT_EQ(gram.counts[0].item<int64_t>(), 0);
}

TEST(Explainer, DirectionsThemselvesAreExplained) {
  const at::Tensor directions = SomeUnitRows(20, 12);
  const Explanation explanation = Explain({.codes = 3}, directions, directions);
  EXPECT_LT(explanation.error.max().item<float>(), 1e-10);
  EXPECT_TRUE(at::equal(explanation.counts, at::ones({20}, at::kLong)));
}

TEST(Summarize, MeansAndMedians) {
  Explanation explanation;
  explanation.error = at::tensor({0.0f, 0.5f, 0.25f});
  explanation.cosine = at::tensor({1.0f, 0.0f, 0.75f});
  explanation.counts = at::tensor({1, 5, 3}, at::kLong);
  const ExplanationSummary summary = Summarize(explanation);
  EXPECT_EQ(summary.decoders, 3);
  EXPECT_DOUBLE_EQ(summary.mean_error, 0.25);
  EXPECT_DOUBLE_EQ(summary.median_error, 0.25);
  EXPECT_DOUBLE_EQ(summary.mean_cosine, 1.75 / 3);
  EXPECT_DOUBLE_EQ(summary.median_cosine, 0.75);
  EXPECT_DOUBLE_EQ(summary.mean_codes, 3);
}

}  // namespace
}  // namespace superpose
