#include "lib/statistics/analysis/frequency_products.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <tuple>
#include <vector>

#include "tests/lib/statistics/analysis/analysis_rig.h"

namespace superpose {
namespace {

using ::testing::DoubleEq;
using ::testing::ElementsAre;
using ::testing::Pointwise;

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;

// Every product there is, as the notebook makes them.
at::Tensor AllProducts(const at::Tensor& s) {
  const at::Tensor pairs = s.unsqueeze(1) * s;
  const at::Tensor triples = pairs.unsqueeze(2) * s;
  return std::get<0>(at::cat({s, pairs.flatten(), triples.flatten()}).sort(0, /*descending=*/true));
}

// Of a snapshot in which feature f was active for counts[f] of 100 tokens.
MadeSnapshot SnapshotOf(const std::vector<int64_t>& counts) {
  at::Tensor z = at::zeros({100, static_cast<int64_t>(counts.size())}, at::kDouble);
  for (size_t feature = 0; feature < counts.size(); ++feature) {
    z.select(1, static_cast<int64_t>(feature)).slice(0, 0, counts[feature]).fill_(1);
  }
  return MadeSnapshot(z);
}

class GoldenProductsTest : public testing::TestWithParam<const char*> {};

TEST_P(GoldenProductsTest, AreTheNotebooks) {
  const GoldenAnalyses golden(GetParam());
  AnalysisInputs inputs = golden.inputs();
  auto all = SnapshotData::Create({{"counts", at::ones({1}, at::kLong)}, {"act_counts", at::ones({256}, at::kLong)}},
                                  {.d_sae = 256, .d_mlp = 128, .d_model = 32});
  ASSERT_OK(all);
  inputs.snapshot = &*all;
  const AnalysisOutput output = Answer(MakeFrequencyProducts(inputs, {.top = 20, .most = 2000}));
  EXPECT_THAT(NamesOf(output), ElementsAre("observed", "products", "pair_products"));
  EXPECT_LT(RelativeError(TensorOf(output, "observed"), golden.notebook.at("numerology_s")), 1e-6);
  const auto expect_same = [&](const at::Tensor& actual, const at::Tensor& expected) {
    ASSERT_EQ(actual.sizes(), expected.sizes());
    EXPECT_TRUE(at::allclose(actual, expected.to(at::kDouble), /*rtol=*/5e-6, /*atol=*/0));
  };
  expect_same(TensorOf(output, "products"), golden.notebook.at("numerology_t"));
  expect_same(TensorOf(output, "pair_products").flip(0), golden.notebook.at("numerology_prod_sorted"));
}

INSTANTIATE_TEST_SUITE_P(Precisions, GoldenProductsTest, testing::Values("f32", "f64"));

TEST(FrequencyProductsTest, EveryOrderedPairAndTripleCounts) {
  MadeSnapshot snapshot = SnapshotOf({20, 50});
  const AnalysisOutput output = Answer(MakeFrequencyProducts(snapshot.inputs(), {}));
  EXPECT_THAT(Doubles(TensorOf(output, "observed")), ElementsAre(DoubleEq(0.5), DoubleEq(0.2)));
  EXPECT_THAT(Doubles(TensorOf(output, "pair_products")), Pointwise(DoubleEq(), {0.25, 0.1, 0.1, 0.04}));
  EXPECT_THAT(Doubles(TensorOf(output, "products")),
              Pointwise(testing::DoubleNear(1e-15),
                        {0.5, 0.25, 0.2, 0.125, 0.1, 0.1, 0.05, 0.05, 0.05, 0.04, 0.02, 0.02, 0.02, 0.008}));
}

TEST(FrequencyProductsTest, AreTheLargestOfAllThereAre) {
  MadeSnapshot snapshot = SnapshotOf({1, 80, 3, 0, 22, 22, 7, 41, 100, 0, 13, 22});
  const AnalysisInputs inputs = snapshot.inputs();
  for (const int64_t top : {1, 2, 3, 7, 12}) {
    for (const int64_t most : {1, 5, 50, 1000, 100'000}) {
      const AnalysisOutput output = Answer(MakeFrequencyProducts(inputs, {.top = top, .most = most}));
      const at::Tensor observed = TensorOf(output, "observed");
      ASSERT_EQ(observed.numel(), 12);
      const at::Tensor expected = AllProducts(observed.slice(0, 0, top)).slice(0, 0, most);
      const at::Tensor products = TensorOf(output, "products");
      ASSERT_EQ(products.sizes(), expected.sizes()) << top << " " << most;
      EXPECT_TRUE(at::allclose(products, expected, 1e-12, 0)) << top << " " << most;
      EXPECT_EQ(TensorOf(output, "pair_products").numel(), std::min(most, top * top));
    }
  }
}

TEST(FrequencyProductsTest, UnitsOfAnySizeAgree) {
  MadeSnapshot snapshot = SnapshotOf({1, 80, 3, 0, 22, 22, 7, 41, 100, 0, 13, 22});
  const AnalysisInputs inputs = snapshot.inputs();
  const FrequencyProductsQuery query = {.most = 777};
  const AnalysisOutput whole = Answer(MakeFrequencyProducts(inputs, query));
  for (const int64_t size : {1, 2, 100}) {
    EXPECT_TRUE(SameAnswers(Answer(MakeFrequencyProducts(inputs, query, size)), whole)) << size;
  }
}

TEST(FrequencyProductsTest, TheLargestQuestionHoldsOnlyWhatItReturns) {
  const GoldenAnalyses golden("f32");
  const AnalysisOutput output = Answer(
      MakeFrequencyProducts(golden.inputs(), {.top = 2000, .most = 1'000'000, .by = FrequencySource::kSnapshot}));
  // 65 features are covered, and all of their products asked for.
  EXPECT_EQ(TensorOf(output, "observed").numel(), 65);
  EXPECT_EQ(TensorOf(output, "products").numel(), 65 + 65 * 65 + 65 * 65 * 65);
  EXPECT_TRUE(at::allclose(TensorOf(output, "products"), AllProducts(TensorOf(output, "observed")), 1e-12, 0));
}

TEST(FrequencyProductsTest, SizesAreBounded) {
  MadeSnapshot snapshot = SnapshotOf({20, 50});
  const AnalysisInputs inputs = snapshot.inputs();
  for (const int64_t top : {0, 2001}) {
    EXPECT_THAT(MakeFrequencyProducts(inputs, {.top = top}),
                testing::AllOf(IsError(kInvalid, reason::kConfigInvalid), MessageHas("1 .. 2000")));
  }
  for (const int64_t most : {0, 1'000'001}) {
    EXPECT_THAT(MakeFrequencyProducts(inputs, {.most = most}),
                testing::AllOf(IsError(kInvalid, reason::kConfigInvalid), MessageHas("1 .. 1000000")));
  }
  EXPECT_EQ(ReasonOf(MakeFrequencyProducts(inputs, {.by = FrequencySource::kTraining}).status()),
            reason::kFrequenciesMissing);
}

}  // namespace
}  // namespace superpose
