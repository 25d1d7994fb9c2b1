#include "lib/factorization/whitening.h"

#include "tests/lib/factorization/direction_rig.h"

namespace superpose {
namespace {

class WhiteningTest : public DeviceTest {
 protected:
  DirectionAnswer Ask(const at::Tensor& rows, const WhiteningQuery& query) const {
    return AnswerOf(MakeWhitening(rows.to(device()), query));
  }
};
INSTANTIATE_TEST_SUITE_P(Devices, WhiteningTest, testing::ValuesIn(kDeviceTypes), DeviceTest::Name);

at::Tensor Gram(const at::Tensor& rows) { return at::mm(rows.t(), rows); }

TEST_P(WhiteningTest, InTheNotebooksFormIsTheNotebooks) {
  const TensorMap notebook = GoldenTensors("tiny_notebook_d_mlp_f64.safetensors");
  const at::Tensor rows = NotebookDirections(at::kDouble, notebook);
  const DirectionAnswer answer = Ask(rows, {.eigen = {.theta = 0.5}, .cutoff = 1e-2, .form = WhiteningForm::kNotebook});
  EXPECT_EQ(answer.figure("kept"), notebook.at("whiten_mask_count").item<double>());
  const at::Tensor features = answer["features"].to(at::kDouble);
  EXPECT_LT(RelativeError(Gram(features), notebook.at("whiten_gram_features")), 1e-6);
  // Rows of a multiple eigenvalue are any basis of their space: their lengths are near the notebook's, and no more.
  const at::Tensor norms = std::get<0>(features.norm(2, at::IntArrayRef{1}).sort());
  EXPECT_LT(RelativeError(norms, std::get<0>(notebook.at("whiten_row_norms").sort())), 2e-2);
}

TEST_P(WhiteningTest, InTheNotebooksFormCountsNegativeOnesAsIfTheyWerePositive) {
  const at::Tensor rows = PlaneDirections(4);
  const DirectionAnswer answer = Ask(rows, {.form = WhiteningForm::kNotebook});
  const auto [U, S, Vh] = at::linalg_svd(DenseGram(rows, 0.5));
  const at::Tensor expected = at::mm((U / S.sqrt()).t(), UnitRowsOf(rows));
  EXPECT_EQ(answer.figure("kept"), 4);
  EXPECT_LT(RelativeError(Gram(answer["features"].to(at::kDouble)), Gram(expected)), 1e-6);
}

TEST_P(WhiteningTest, TakesPositiveEigenvaluesOnlyAndSaysWhatItLeft) {
  const TensorMap notebook = GoldenTensors("tiny_notebook_d_mlp_f64.safetensors");
  const at::Tensor rows = NotebookDirections(at::kDouble, notebook), values = notebook.at("C_eigenvalues");
  const DirectionAnswer answer = Ask(rows, {.eigen = {.theta = 0.5}, .cutoff = 1e-2});
  EXPECT_EQ(answer.figure("negative_count"), 52);
  EXPECT_NEAR(answer.figure("negative_mass"), values.clamp_max(0).abs().sum().item<double>(), 1e-9);
  EXPECT_EQ(answer.figure("kept"), static_cast<double>(values.gt(1e-2).sum().item<int64_t>()));
  EXPECT_EQ(answer.figure("kept") + answer.figure("cut"), 200);
  const at::Tensor C = DenseGram(rows, 0.5);
  const auto [l, Q] = at::linalg_eigh(C);
  const at::Tensor inverse = at::where(l.gt(1e-2), l, at::full_like(l, HUGE_VAL)).reciprocal();
  const at::Tensor units = UnitRowsOf(rows);
  const at::Tensor expected = at::mm(units.t(), at::mm(at::mm(Q * inverse, Q.t()), units));
  EXPECT_LT(RelativeError(Gram(answer["features"].to(at::kDouble)), expected), 1e-6);
}

// Where nothing is cut, the features of D are orthonormal in the space that D spans.
TEST_P(WhiteningTest, OfAllCosinesMakesDirectionsOrthonormal) {
  const at::Tensor rows = CrowdedDirections(30, 6);
  const DirectionAnswer answer = Ask(rows, {.eigen = {.theta = -1}, .cutoff = 1e-6});
  EXPECT_EQ(answer["features"].sizes(), at::IntArrayRef({6, 6}));
  const at::Tensor features = answer["features"].to(at::kDouble);
  EXPECT_LT(LargestError(at::mm(features, features.t()), at::eye(6, at::kDouble)), 1e-6);
}

TEST_P(WhiteningTest, OfZeroEigenvaluesIsFiniteWhateverTheCutOff) {
  const at::Tensor rows = CrowdedDirections(5, 4);
  for (const auto form : {WhiteningForm::kEigen, WhiteningForm::kNotebook}) {
    const DirectionAnswer answer =
        Ask(at::cat({rows, rows, rows}), {.eigen = {.theta = -1}, .cutoff = 0, .form = form});
    EXPECT_EQ(answer.figure("kept"), 4);
    EXPECT_EQ(answer.undefined, 11);
    EXPECT_GT(answer.figure("cutoff"), 0);
    EXPECT_TRUE(answer.AllFinite());
  }
}

TEST_P(WhiteningTest, MayLeaveNothing) {
  const DirectionAnswer answer = Ask(CrowdedDirections(30, 6), {.cutoff = 1e9});
  EXPECT_EQ(answer["features"].sizes(), at::IntArrayRef({0, 6}));
  EXPECT_EQ(answer["eigenvalue"].numel(), 0);
  EXPECT_EQ(answer.figure("cut"), 30);
}

TEST_P(WhiteningTest, OfOneDirectionIsThatDirection) {
  const at::Tensor row = at::tensor({3., 4.}).reshape({1, 2});
  for (const auto form : {WhiteningForm::kEigen, WhiteningForm::kNotebook}) {
    const DirectionAnswer answer = Ask(row, {.form = form});
    EXPECT_LT(LargestError(answer["features"], at::tensor({0.6, 0.8}).reshape({1, 2})), 1e-7);
  }
}

// A value of the cut-off itself passes in the notebook's form only.
TEST_P(WhiteningTest, CutsWhereItsFormDoes) {
  const at::Tensor rows = at::eye(3, at::kDouble);
  EXPECT_EQ(Ask(rows, {.cutoff = 1})["features"].size(0), 0);
  EXPECT_EQ(Ask(rows, {.cutoff = 1, .form = WhiteningForm::kNotebook})["features"].size(0), 3);
}

TEST_P(WhiteningTest, OfTheTopKIsThatOfTheFirst) {
  const at::Tensor rows = CrowdedDirections(300, 16, 40);
  EigenQuery top{.theta = 0.3, .k = 10, .tolerance = 1e-9, .limits = {.top = 0}};
  const at::Tensor all = Ask(rows, {.eigen = {.theta = 0.3}})["features"].slice(0, 0, 10);
  EXPECT_LT(LargestError(Ask(rows, {.eigen = top})["features"].abs(), all.abs()), 1e-5);
  EXPECT_LT(LargestError(Ask(rows, {.eigen = top})["features"], all), 1e-5);
}

TEST_P(WhiteningTest, RefusesWhatItCannotAnswer) {
  const at::Tensor rows = CrowdedDirections(30, 4);
  for (const double cutoff : {-1e-3, std::nan(""), HUGE_VAL}) {
    EXPECT_THAT(MakeWhitening(rows, {.cutoff = cutoff}),
                IsError(absl::StatusCode::kInvalidArgument, reason::kConfigInvalid));
  }
  EXPECT_THAT(MakeWhitening(rows, {.eigen = {.theta = 2}}),
              IsError(absl::StatusCode::kInvalidArgument, reason::kConfigInvalid));
  EXPECT_THAT(MakeWhitening(rows, {.eigen = {.limits = {.all = 10}}}),
              IsError(absl::StatusCode::kInvalidArgument, reason::kConfigInvalid));
  EXPECT_THAT(MakeWhitening(at::full({3, 4}, std::nan("")), {}),
              IsError(absl::StatusCode::kInvalidArgument, reason::kTensorNotFinite));
}

}  // namespace
}  // namespace superpose
