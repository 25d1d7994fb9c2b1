// The top k of directions that are too many for a dense matrix, held against dense ones.
#include "lib/factorization/top_eigenpairs.h"

#include "lib/factorization/spectrum.h"
#include "tests/lib/factorization/direction_rig.h"

namespace superpose {
namespace {

EigenQuery TopOf(int64_t k, double theta = 0.5, double tolerance = 1e-9) {
  return {.theta = theta, .k = k, .tolerance = tolerance, .limits = {.all = 0, .top = 0}, .tiling = {.side = 64}};
}

at::Tensor DenseValues(const at::Tensor& rows, double theta, bool by_magnitude = false) {
  const at::Tensor values = at::linalg_eigvalsh(DenseGram(rows, theta));
  return values.index_select(0, OrderOfEigenvalues(values, by_magnitude, values.numel()));
}

class TopEigenpairsTest : public DeviceTest {
 protected:
  DirectionAnswer Ask(const at::Tensor& rows, const EigenQuery& query, bool vectors = false) const {
    return AnswerOf(MakeSpectrum(rows.to(device()), {.eigen = query, .vectors = vectors}));
  }
  static void ExpectAllConverged(const DirectionAnswer& answer, int64_t k) {
    EXPECT_EQ(answer["eigenvalue"].numel(), k);
    EXPECT_EQ(answer.figure("converged"), static_cast<double>(k));
    EXPECT_TRUE(answer.AllFinite());
  }
};
INSTANTIATE_TEST_SUITE_P(Devices, TopEigenpairsTest, testing::ValuesIn(kDeviceTypes), DeviceTest::Name);

TEST_P(TopEigenpairsTest, AreTheNotebooks) {
  const TensorMap notebook = GoldenTensors("tiny_notebook_d_mlp_f64.safetensors");
  const at::Tensor rows = NotebookDirections(at::kDouble, notebook);
  const DirectionAnswer top = Ask(rows, TopOf(20));
  ExpectAllConverged(top, 20);
  EXPECT_LT(LargestError(top["eigenvalue"], notebook.at("C_eigenvalues").flip(0).slice(0, 0, 20)), 1e-12);
  EXPECT_EQ(top.figure("nonzeros"), notebook.at("C_nnz").item<double>());
  EigenQuery query = TopOf(20);
  query.by_magnitude = true;
  EXPECT_LT(LargestError(Ask(rows, query)["singular_value"], notebook.at("C_singular_values").slice(0, 0, 20)), 1e-12);
}

TEST_P(TopEigenpairsTest, AreThoseOfADenseMatrix) {
  const at::Tensor rows = CrowdedDirections(500, 24, 60);
  for (const double theta : {-1.0, 0.2, 0.6}) {
    for (const int64_t k : {1, 9, 40}) {
      const DirectionAnswer answer = Ask(rows, TopOf(k, theta), /*vectors=*/true);
      SCOPED_TRACE(testing::Message() << theta << " " << k << " iterations " << answer.figure("iterations"));
      ExpectAllConverged(answer, k);
      EXPECT_LT(LargestError(answer["eigenvalue"], DenseValues(rows, theta).slice(0, 0, k)), 1e-9);
      const at::Tensor U = answer["U"].to(at::kDouble);
      EXPECT_LT(LargestError(at::mm(DenseGram(rows, theta), U), U * answer["eigenvalue"]), 2e-6);
      EXPECT_LT(LargestError(at::mm(U.t(), U), at::eye(k, at::kDouble)), 1e-6);
      EXPECT_TRUE(at::equal(U.amax(0), U.abs().amax(0)));
    }
  }
}

// Which of the units take long, as they come.
std::vector<int64_t> LongUnits(const at::Tensor& rows, const EigenQuery& query, int64_t* wanted_units) {
  const auto analysis = MakeSpectrum(rows, {.eigen = query});
  EXPECT_OK(analysis);
  *wanted_units = (*analysis)->units();
  std::vector<int64_t> found;
  for (int64_t unit = 0; unit < (*analysis)->units(); ++unit) {
    if ((*analysis)->IsLong(unit)) found.push_back(unit);
    (*analysis)->RunUnit(unit);
  }
  return found;
}

TEST_P(TopEigenpairsTest, AnEigenproblemInALargeBasisIsALongUnit) {
  const at::Tensor rows = CrowdedDirections(700, 24, 60).to(device());
  EigenQuery query = TopOf(320, 0.2, /*tolerance=*/1e-3);
  query.max_iterations = 30;
  int64_t units = 0;
  const std::vector<int64_t> found = LongUnits(rows, query, &units);
  EXPECT_EQ(units, EigenUnits(700, 24, query));
  EXPECT_FALSE(found.empty());
  EXPECT_GE(found.front(), 500 / 32 * units / (30 + 320 / 32 + 1)) << "not while the basis is small";
  query.k = 20;
  EXPECT_TRUE(LongUnits(rows, query, &units).empty());
  EXPECT_EQ(units, EigenUnits(700, 24, query));
}

TEST_P(TopEigenpairsTest, ByMagnitudeHaveNegativeOnesAmongThem) {
  const TensorMap notebook = GoldenTensors("tiny_notebook_d_mlp_f64.safetensors");
  const at::Tensor rows = NotebookDirections(at::kDouble, notebook);
  EigenQuery query = TopOf(56, 0.3);
  query.by_magnitude = true;
  const DirectionAnswer answer = Ask(rows, query);
  ExpectAllConverged(answer, 56);
  EXPECT_LT(LargestError(answer["eigenvalue"], DenseValues(rows, 0.3, true).slice(0, 0, 56)), 1e-9);
  EXPECT_EQ(answer.figure("negative_count"), 4);
}

TEST_P(TopEigenpairsTest, OfFloatDirectionsAreThoseToTheirPrecision) {
  const at::Tensor rows = CrowdedDirections(500, 24, 60).to(at::kFloat);
  const DirectionAnswer answer = Ask(rows, TopOf(12, 0.3, 1e-6));
  ExpectAllConverged(answer, 12);
  const at::Tensor expected = DenseValues(rows, 0.3).slice(0, 0, 12);
  EXPECT_LT(LargestError(answer["eigenvalue"], expected), 2e-6 * expected[0].item<double>());
}

// Each of 150 directions three times: 3 is an eigenvalue 150 times over, more than a Krylov space of one block holds.
TEST_P(TopEigenpairsTest, OfDuplicatesHaveEveryCopy) {
  const at::Tensor rows = at::eye(150, at::kDouble).repeat({3, 1});
  const DirectionAnswer answer = Ask(rows, TopOf(60));
  ExpectAllConverged(answer, 60);
  EXPECT_LT(LargestError(answer["eigenvalue"], at::full({60}, 3.0, at::kDouble)), 1e-9);
}

// One direction five times, 40 twice, 100 once: eigenvalues 5, 40 times 2, 100 times 1, and 0.
TEST_P(TopEigenpairsTest, OfGroupsOfDuplicatesCountThemAll) {
  const at::Tensor all = at::eye(141, at::kDouble);
  const at::Tensor rows = at::cat({all, all.slice(0, 1, 41), all.slice(0, 0, 1).repeat({4, 1})});
  const DirectionAnswer answer = Ask(rows, TopOf(50));
  ExpectAllConverged(answer, 50);
  const at::Tensor expected =
      at::cat({at::full({1}, 5.0, at::kDouble), at::full({40}, 2.0, at::kDouble), at::full({9}, 1.0, at::kDouble)});
  EXPECT_LT(LargestError(answer["eigenvalue"], expected), 1e-9);
}

TEST_P(TopEigenpairsTest, OfDirectionsThatShareNothingAreOnes) {
  const DirectionAnswer answer = Ask(CrowdedDirections(100, 9), TopOf(40, 1), /*vectors=*/true);
  ExpectAllConverged(answer, 40);
  EXPECT_LT(LargestError(answer["eigenvalue"], at::ones({40}, at::kDouble)), 1e-12);
}

TEST_P(TopEigenpairsTest, MayBeAllThereAre) {
  for (const int64_t n : {1, 2, 9, 50}) {
    const at::Tensor rows = CrowdedDirections(n, 5);
    const DirectionAnswer answer = Ask(rows, TopOf(1000, 0.3), /*vectors=*/true);
    ExpectAllConverged(answer, n);
    EXPECT_LT(LargestError(answer["eigenvalue"], DenseValues(rows, 0.3)), 1e-9) << n;
  }
}

TEST_P(TopEigenpairsTest, OfAnEigenvalueOfZeroHaveNoSign) {
  const DirectionAnswer answer = Ask(at::ones({40, 3}, at::kDouble), TopOf(3), /*vectors=*/true);
  ExpectAllConverged(answer, 3);
  EXPECT_LT(LargestError(answer["eigenvalue"], at::tensor({40., 0., 0.}, at::kDouble)), 1e-7);
  EXPECT_EQ(answer.undefined, 2);
}

TEST_P(TopEigenpairsTest, AreTheSameEachTimeAndHoweverUnitsAreCut) {
  const at::Tensor rows = CrowdedDirections(300, 16, 40);
  EigenQuery query = TopOf(10);
  const DirectionAnswer once = Ask(rows, query, true), again = Ask(rows, query, true);
  query.tiling.unit_work = 1;
  const DirectionAnswer finely = Ask(rows, query, true);
  EXPECT_GT(finely.units, 5 * once.units);
  for (const auto* name : {"eigenvalue", "U", "V", "residual"}) {
    EXPECT_TRUE(at::equal(once[name], again[name])) << name;
    EXPECT_TRUE(at::equal(once[name], finely[name])) << name;
  }
  query.seed = 1;
  EXPECT_LT(LargestError(Ask(rows, query)["eigenvalue"], once["eigenvalue"]), 1e-9);
}

TEST_P(TopEigenpairsTest, SayWhatHasNotConverged) {
  EigenQuery query = TopOf(30, 0.2, 1e-12);
  query.max_iterations = 1;
  const DirectionAnswer answer = Ask(CrowdedDirections(500, 24, 60), query);
  EXPECT_EQ(answer["eigenvalue"].numel(), 30);
  EXPECT_LT(answer.figure("converged"), 30);
  EXPECT_GT(answer["residual"].max().item<double>(), 1e-10);
  EXPECT_TRUE(answer.AllFinite());
}

// A residual of a symmetric matrix bounds how far an eigenvalue is from the pair's.
TEST_P(TopEigenpairsTest, HaveResidualsThatHold) {
  const at::Tensor rows = CrowdedDirections(500, 24, 60);
  const DirectionAnswer answer = Ask(rows, TopOf(8, 0.2, 1e-3), /*vectors=*/true);
  const at::Tensor U = answer["U"].to(at::kDouble);
  const at::Tensor lengths = (at::mm(DenseGram(rows, 0.2), U) - U * answer["eigenvalue"]).norm(2, at::IntArrayRef{0});
  EXPECT_LT(LargestError(lengths, answer["residual"]), 2e-5);
  EXPECT_LE(answer["residual"].max().item<double>(), 1e-3 * answer["eigenvalue"][0].item<double>());
}

TEST_P(TopEigenpairsTest, EndBeforeTheUnitsThatTheyMayTake) {
  auto analysis = MakeSpectrum(CrowdedDirections(300, 16, 40).to(device()), {.eigen = TopOf(4)});
  ASSERT_OK(analysis);
  const int64_t before = (*analysis)->units();
  ASSERT_OK(RunAll(**analysis));
  EXPECT_LT((*analysis)->units(), before / 2);
}

TEST(EigenMethod, IsDenseWhereThatIsSmallOrAllIsAskedFor) {
  EXPECT_EQ(MethodOf({.k = 10}, 2'000), EigenMethod::kDense);
  EXPECT_EQ(MethodOf({.k = 10}, 2'001), EigenMethod::kLanczos);
  EXPECT_EQ(MethodOf({.k = 1'000}, 4'000), EigenMethod::kDense);
  EXPECT_EQ(MethodOf({.k = 0}, 10'000), EigenMethod::kDense);
  EXPECT_EQ(MethodOf({.k = 15'000}, 20'000), EigenMethod::kLanczos);
  EXPECT_EQ(MethodOf({.k = 10, .limits = {.all = 100'000, .top = 100'000}}, 40'000), EigenMethod::kLanczos);
}

}  // namespace
}  // namespace superpose
