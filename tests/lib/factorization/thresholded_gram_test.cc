#include "lib/factorization/thresholded_gram.h"

#include <tuple>

#include "lib/factorization/gram_product.h"
#include "lib/factorization/gram_values.h"
#include "tests/lib/factorization/direction_rig.h"

namespace superpose {
namespace {

constexpr GramTiling kSmallTiles = {.side = 7, .unit_work = 1};

class ThresholdedGramTest : public DeviceTest {
 protected:
  at::Tensor Values(const at::Tensor& rows, double theta, GramTiling tiling = {}) const {
    return AnswerOf(MakeGramValues(rows.to(device()), {.theta = theta, .values = true, .tiling = tiling}))["values"];
  }
};
INSTANTIATE_TEST_SUITE_P(Devices, ThresholdedGramTest, testing::ValuesIn(kDeviceTypes), DeviceTest::Name);

TEST_P(ThresholdedGramTest, IsTheNotebooks) {
  const TensorMap notebook = GoldenTensors("tiny_notebook_d_mlp_f64.safetensors");
  const at::Tensor rows = NotebookDirections(at::kDouble, notebook).to(device());
  const DirectionAnswer answer = AnswerOf(MakeGramValues(rows, {.theta = 0.5, .tiling = kSmallTiles}));
  EXPECT_EQ(answer.figure("nonzeros"), notebook.at("C_nnz").item<double>());
  EXPECT_LT(LargestError(answer["neighbor_sum"], notebook.at("C_offdiag_rowsum")), 1e-12);
  EXPECT_EQ(answer["neighbors"].sum().item<int64_t>() + 200, notebook.at("C_nnz").item<int64_t>());
}

TEST_P(ThresholdedGramTest, IsTheDenseFormulaWhateverTheTiles) {
  const at::Tensor rows = CrowdedDirections(40, 6);
  for (const double theta : {-1.0, -0.3, 0.0, 0.4, 0.9}) {
    EXPECT_LT(LargestError(Values(rows, theta), DenseGram(rows, theta)), 1e-7) << theta;
    EXPECT_LT(LargestError(Values(rows, theta, kSmallTiles), DenseGram(rows, theta)), 1e-7) << theta;
  }
  EXPECT_LT(LargestError(Values(rows.to(at::kFloat), 0.4, kSmallTiles), DenseGram(rows, 0.4)), 5e-7);
}

TEST_P(ThresholdedGramTest, OfThetaOneHasOnesAmongDuplicatesOnly) {
  const at::Tensor rows = CrowdedDirections(20, 6);
  const at::Tensor all = at::cat({rows, rows.slice(0, 0, 3) * 2.5});
  for (const auto type : {at::kFloat, at::kDouble}) {
    at::Tensor expected = at::eye(23, at::kDouble);
    for (int64_t i = 0; i < 3; ++i) expected[i][20 + i] = expected[20 + i][i] = 1;
    EXPECT_LT(LargestError(Values(all.to(type), 1), expected), 1e-6);
  }
}

TEST_P(ThresholdedGramTest, OfOneDirectionIsOne) {
  for (const double theta : {-1.0, 0.0, 1.0}) {
    EXPECT_TRUE(at::equal(Values(at::full({1, 5}, 3.0), theta), at::ones({1, 1})));
  }
}

TEST_P(ThresholdedGramTest, CutsCosinesUnderThetaAndKeepsThoseOfIt) {
  // 1, 0, and -1, which are exact.
  const at::Tensor rows = at::tensor({1., 0., 0., 2., -3., 0.}, at::kDouble).reshape({3, 2});
  EXPECT_EQ(AnswerOf(MakeGramValues(rows.to(device()), {.theta = 1e-3})).figure("nonzeros"), 3);
  const at::Tensor opposite = Values(rows, -1);
  EXPECT_EQ(opposite[0][2].item<float>(), -1);
  EXPECT_EQ(Values(rows, -0.999)[0][2].item<float>(), 0);
}

TEST_P(ThresholdedGramTest, TimesVectorsIsTheDenseProductAndCountsItsEntries) {
  const at::Tensor rows = CrowdedDirections(40, 6), x = CrowdedDirections(3, 40);
  for (const auto type : {at::kFloat, at::kDouble}) {
    ASSERT_OK_AND_ASSIGN(auto gram, ThresholdedGram::Create(rows.to(device()), 0.4, type));
    GramProduct product(gram, 3, kSmallTiles);
    ASSERT_EQ(product.units(), 21);
    for (int64_t pass = 0; pass < 2; ++pass) {
      product.Begin(x.to(device()));
      for (int64_t unit = 0; unit < product.units(); ++unit) product.RunUnit(unit);
    }
    const at::Tensor dense = DenseGram(rows, 0.4);
    EXPECT_LT(RelativeError(product.product(), at::mm(x, dense)), type == at::kFloat ? 1e-6 : 1e-14);
    EXPECT_EQ(product.nonzeros(), at::count_nonzero(dense).item<int64_t>());
  }
}

TEST_P(ThresholdedGramTest, TimesVectorsKeepsItsEntriesWhereThereIsRoom) {
  const at::Tensor rows = CrowdedDirections(40, 6), x = CrowdedDirections(3, 40);
  const auto times = [&](double theta, at::ScalarType type, int64_t most_kept_bytes, bool keeps) {
    ASSERT_OK_AND_ASSIGN(auto gram, ThresholdedGram::Create(rows.to(device()), theta, type));
    GramProduct product(gram, 3, kSmallTiles, most_kept_bytes);
    for (int64_t pass = 0; pass < 3; ++pass) {
      const at::Tensor x_of_pass = x * static_cast<double>(pass + 1);
      product.Begin(x_of_pass.to(device()));
      for (int64_t unit = 0; unit < product.units(); ++unit) product.RunUnit(unit);
      EXPECT_EQ(product.keeps_entries(), keeps) << theta;
      EXPECT_LT(RelativeError(product.product(), at::mm(x_of_pass, DenseGram(rows, theta))), 1e-6);
    }
    EXPECT_EQ(product.nonzeros(), at::count_nonzero(DenseGram(rows, theta)).item<int64_t>());
  };
  times(0.4, at::kFloat, 1 << 20, true);
  times(0.4, at::kFloat, 4096, false);
  times(0.4, at::kDouble, 1 << 20, false);
  times(-0.2, at::kFloat, 1 << 20, false);
}

TEST_P(ThresholdedGramTest, RefusesWhatIsNoCosine) {
  for (const double theta : {-1.01, 1.01, std::nan(""), HUGE_VAL}) {
    EXPECT_THAT(MakeGramValues(CrowdedDirections(4, 3), {.theta = theta}),
                IsError(absl::StatusCode::kInvalidArgument, reason::kConfigInvalid));
  }
}

TEST_P(ThresholdedGramTest, RefusesAMatrixThatIsTooLarge) {
  const at::Tensor rows = at::ones({kMostGramValues + 1, 1});
  EXPECT_THAT(MakeGramValues(rows, {.values = true}),
              IsError(absl::StatusCode::kInvalidArgument, reason::kConfigInvalid));
  EXPECT_OK(MakeGramValues(rows, {}));
  EXPECT_THAT(MakeGramValues(at::Tensor(), {}),
              IsError(absl::StatusCode::kInvalidArgument, reason::kTensorShapeMismatch));
}

}  // namespace
}  // namespace superpose
