#include "lib/factorization/spectrum.h"

#include "tests/lib/factorization/direction_rig.h"

namespace superpose {
namespace {

using testing::DoubleNear;

class SpectrumTest : public DeviceTest {
 protected:
  DirectionAnswer Ask(const at::Tensor& rows, const SpectrumQuery& query) const {
    return AnswerOf(MakeSpectrum(rows.to(device()), query));
  }
};
INSTANTIATE_TEST_SUITE_P(Devices, SpectrumTest, testing::ValuesIn(kDeviceTypes), DeviceTest::Name);

TEST_P(SpectrumTest, IsTheNotebooks) {
  for (const auto* precision : {"f32", "f64"}) {
    const TensorMap notebook = GoldenTensors("tiny_notebook_d_mlp_" + std::string(precision) + ".safetensors");
    const at::ScalarType type = notebook.at("C_eigenvalues").scalar_type();
    const double most = type == at::kDouble ? 1e-12 : 2e-5;
    const at::Tensor rows = NotebookDirections(type, notebook);
    const DirectionAnswer all = Ask(rows, {.eigen = {.theta = 0.5}});
    EXPECT_LT(LargestError(all["eigenvalue"].flip(0), notebook.at("C_eigenvalues")), most);
    EXPECT_EQ(all.figure("negative_count"), 52);
    EXPECT_EQ(all.figure("nonzeros"), notebook.at("C_nnz").item<double>());
    EXPECT_EQ(all.undefined, 0);
    const DirectionAnswer svd = Ask(rows, {.eigen = {.theta = 0.5, .by_magnitude = true}});
    EXPECT_LT(LargestError(svd["singular_value"], notebook.at("C_singular_values")), most);
  }
}

// The notebook divides columns of U by those of V.
TEST_P(SpectrumTest, HasTheSignsOfTheNotebooksFactors) {
  const TensorMap notebook = GoldenTensors("tiny_notebook_d_mlp_f64.safetensors");
  const at::Tensor rows = NotebookDirections(at::kDouble, notebook);
  const DirectionAnswer svd = Ask(rows, {.eigen = {.theta = 0.5, .by_magnitude = true}, .vectors = true});
  EXPECT_EQ(svd["sign"].lt(0).sum().item<int64_t>(), notebook.at("UV_sign_count_negative").item<int64_t>());
  EXPECT_TRUE(at::equal(svd["V"].to(at::kDouble), svd["U"].to(at::kDouble) * svd["sign"]));
  const at::Tensor rebuilt = at::mm(svd["U"].to(at::kDouble) * svd["singular_value"], svd["V"].to(at::kDouble).t());
  EXPECT_LT(LargestError(rebuilt, DenseGram(rows, 0.5)), 1e-6);
}

TEST_P(SpectrumTest, OfATridiagonalMatrixIsKnown) {
  const SpectrumQuery query{.eigen = {.theta = 0.5}, .vectors = true};
  const DirectionAnswer four = Ask(PlaneDirections(4), query);
  for (int64_t i = 0; i < 4; ++i) {
    const double expected = 1 + std::sqrt(2.0) * std::cos(M_PI * static_cast<double>(i + 1) / 5);
    EXPECT_NEAR(four["eigenvalue"][i].item<double>(), expected, 1e-14);
  }
  EXPECT_EQ(four.figure("negative_count"), 1);
  EXPECT_THAT(four.figure("negative_mass"), DoubleNear(0.1441228056, 1e-9));
  EXPECT_THAT(four.figure("positive_mass"), DoubleNear(4.1441228056, 1e-9));
  EXPECT_EQ(four.figure("nonzeros"), 10);
  EXPECT_EQ(four["sign"][3].item<double>(), -1);
  EXPECT_LT(LargestError(four["V"].select(1, 3), -four["U"].select(1, 3)), 1e-12);
  EXPECT_EQ(four.undefined, 0);
}

// 2, 1 and 0.
TEST_P(SpectrumTest, OfAZeroEigenvalueHasNoSignAndSaysSo) {
  const DirectionAnswer three = Ask(PlaneDirections(3), {.eigen = {.theta = 0.5}, .vectors = true});
  EXPECT_LT(LargestError(three["eigenvalue"], at::tensor({2., 1., 0.}, at::kDouble)), 1e-14);
  EXPECT_TRUE(at::equal(three["sign"], at::tensor({1., 1., 0.}, at::kDouble)));
  EXPECT_EQ(three.undefined, 1);
  EXPECT_EQ(three.figure("zero_count"), 1);
  EXPECT_TRUE(at::equal(three["U"].select(1, 2), three["V"].select(1, 2)));
}

TEST_P(SpectrumTest, OfDuplicatesCountsZeros) {
  const at::Tensor rows = CrowdedDirections(5, 4), all = at::cat({rows, rows * 3, rows * 0.25});
  const DirectionAnswer answer = Ask(all.to(at::kFloat), {.eigen = {.theta = 1}, .vectors = true});
  const at::Tensor expected = at::cat({at::full({5}, 3.0, at::kDouble), at::zeros({10}, at::kDouble)});
  EXPECT_LT(LargestError(answer["eigenvalue"], expected), 1e-6);
  EXPECT_TRUE(answer.AllFinite());
  const DirectionAnswer exact = Ask(at::cat({rows, rows, rows}), {.eigen = {.theta = -1}});
  EXPECT_GE(exact.undefined, 11);  // the rank is that of [5, 4]
  EXPECT_EQ(exact.figure("positive_count"), 4);
}

TEST_P(SpectrumTest, OfAllCosinesIsTheDirectionsOwn) {
  const at::Tensor rows = CrowdedDirections(30, 6);
  const DirectionAnswer answer = Ask(rows, {.eigen = {.theta = -1}});
  const at::Tensor squares = at::linalg_svdvals(UnitRowsOf(rows)).square();
  EXPECT_LT(LargestError(answer["eigenvalue"].slice(0, 0, 6), squares), 1e-12);
  EXPECT_EQ(answer.figure("zero_count"), 24);
  EXPECT_NEAR(answer["eigenvalue"].sum().item<double>(), 30, 1e-12);
}

TEST_P(SpectrumTest, OfThetaOneIsOnes) {
  const DirectionAnswer answer = Ask(CrowdedDirections(30, 6), {.eigen = {.theta = 1}});
  EXPECT_LT(LargestError(answer["eigenvalue"], at::ones({30}, at::kDouble)), 1e-14);
}

TEST_P(SpectrumTest, OfOneDirectionIsOne) {
  for (const double theta : {-1.0, 0.0, 1.0}) {
    const DirectionAnswer one = Ask(at::full({1, 3}, -2.0), {.eigen = {.theta = theta, .k = 5}, .vectors = true});
    EXPECT_TRUE(at::equal(one["eigenvalue"], at::ones({1}, at::kDouble)));
    EXPECT_TRUE(at::equal(one["U"], at::ones({1, 1})));
  }
}

TEST_P(SpectrumTest, OfKGivesTheFirstOfAll) {
  const at::Tensor rows = CrowdedDirections(60, 8);
  for (const bool by_magnitude : {false, true}) {
    const EigenQuery all{.theta = 0.4, .by_magnitude = by_magnitude};
    EigenQuery some = all, many = all;
    some.k = 7;
    many.k = 1000;
    const DirectionAnswer answer = Ask(rows, {.eigen = all});
    EXPECT_TRUE(at::equal(Ask(rows, {.eigen = some})["eigenvalue"], answer["eigenvalue"].slice(0, 0, 7)));
    EXPECT_TRUE(at::equal(Ask(rows, {.eigen = many})["eigenvalue"], answer["eigenvalue"]));
  }
}

TEST_P(SpectrumTest, HasOrthonormalVectorsWithTheirLargestEntryPositive) {
  const at::Tensor rows = CrowdedDirections(60, 8);
  const DirectionAnswer answer = Ask(rows, {.eigen = {.theta = 0.4}, .vectors = true});
  const at::Tensor U = answer["U"].to(at::kDouble);
  EXPECT_LT(LargestError(at::mm(U.t(), U), at::eye(60, at::kDouble)), 1e-6);
  EXPECT_LT(LargestError(at::mm(DenseGram(rows, 0.4), U), U * answer["eigenvalue"]), 1e-6);
  EXPECT_TRUE(at::equal(U.amax(0), U.abs().amax(0)));
}

TEST_P(SpectrumTest, DoesNotDependOnUnitsNorOnWhenItIsAsked) {
  const at::Tensor rows = CrowdedDirections(60, 8);
  SpectrumQuery query{.eigen = {.theta = 0.4, .tiling = {.side = 16}}, .vectors = true};
  const DirectionAnswer once = Ask(rows, query), again = Ask(rows, query);
  query.eigen.tiling.unit_work = 1;
  const DirectionAnswer finely = Ask(rows, query);
  EXPECT_EQ(once.units, 2);
  EXPECT_EQ(finely.units, 11);
  for (const auto* name : {"eigenvalue", "U", "V"}) {
    EXPECT_TRUE(at::equal(once[name], again[name])) << name;
    EXPECT_TRUE(at::equal(once[name], finely[name])) << name;
  }
}

TEST_P(SpectrumTest, RefusesWhatItCannotAnswer) {
  const at::Tensor rows = CrowdedDirections(30, 4);
  const std::vector<EigenQuery> wrong = {{.theta = std::nan("")},  {.theta = 1.5},         {.k = -1},
                                         {.k = 3, .tolerance = 0}, {.tolerance = 1},       {.tolerance = std::nan("")},
                                         {.max_iterations = 0},    {.limits = {.all = 29}}};
  for (const EigenQuery& query : wrong) {
    EXPECT_THAT(MakeSpectrum(rows, {.eigen = query}),
                IsError(absl::StatusCode::kInvalidArgument, reason::kConfigInvalid));
  }
  EXPECT_THAT(MakeSpectrum(rows, {.eigen = {.limits = {.all = 29}}}), MessageHas("ask for the top k"));
  EXPECT_THAT(MakeSpectrum(at::empty({0, 4}), {}),
              IsError(absl::StatusCode::kFailedPrecondition, reason::kEmptySelection));
  EXPECT_THAT(MakeSpectrum(at::full({3, 4}, std::nan("")), {}),
              IsError(absl::StatusCode::kInvalidArgument, reason::kTensorNotFinite));
  EXPECT_THAT(MakeSpectrum(at::zeros({3, 4}), {}), IsError(absl::StatusCode::kInvalidArgument, reason::kConfigInvalid));
  EXPECT_THAT(MakeSpectrum(at::Tensor(), {}),
              IsError(absl::StatusCode::kInvalidArgument, reason::kTensorShapeMismatch));
}

}  // namespace
}  // namespace superpose
