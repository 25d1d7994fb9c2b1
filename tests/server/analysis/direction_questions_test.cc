// Questions to directions: cosines, spectra, whitening.
#include "lib/factorization/spectrum.h"
#include "server/analysis/direction_subject.h"
#include "server/runtime/reasons.h"
#include "tests/server/analysis/question_rig.h"
#include "tests/support/counting_allocator.h"
#include "tests/support/golden.h"

namespace superpose {
namespace {

using testing::AllOf;
using testing::ElementsAre;

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;
constexpr char kAll[] = "directions { transcoder: 'models/tiny/layers/1' }";

class DirectionQuestionsTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_NE(TinyRegistry(), nullptr);
    rig_.emplace(folder_.path());
  }
  // C of the tiny transcoder's decoders, float64.
  static at::Tensor ThresholdedGramOf(double theta) {
    const at::Tensor W_dec = GoldenTranscoder()->tensor("W_dec").to(at::kDouble);
    const at::Tensor centred = W_dec - W_dec.mean(1, /*keepdim=*/true);
    const at::Tensor units = centred / centred.norm(2, at::IntArrayRef{1}, /*keepdim=*/true);
    const at::Tensor C = at::mm(units, units.t());
    return C.masked_fill(C.lt(theta), 0).fill_diagonal_(1);
  }
  // Factors at random, stored.
  v1::Factorization Store(int64_t factors, int64_t width) {
    v1::Factorization facts;
    facts.set_factors(factors);
    facts.set_width(width);
    at::Tensor rows = at::randn({factors, width}, at::TensorOptions(at::kDouble));
    rows = (rows / rows.norm(2, at::IntArrayRef{1}, /*keepdim=*/true)).to(at::kFloat);
    auto stored = rig_->rig().factorizations().Add(facts, {{"factors", rows}}, absl::UnixEpoch());
    EXPECT_OK(stored);
    return stored.ok() ? *stored : v1::Factorization();
  }

  TemporaryFolder folder_;
  std::optional<QuestionRig> rig_;
};

TEST_F(DirectionQuestionsTest, CosinesAreThoseOfTheDecoders) {
  const StoredAnalysis::Answer answer = rig_->Ask("gram { $0 theta: 0.3 values: true }", kAll);
  EXPECT_THAT(QuestionRig::NamesOf(answer), ElementsAre("neighbors", "neighbor_sum", "values", "feature"));
  const at::Tensor C = ThresholdedGramOf(0.3);
  EXPECT_LT(LargestError(answer.tensors.at("values"), C), 1e-5);
  EXPECT_TRUE(at::equal(answer.tensors.at("feature"), at::arange(256)));
  EXPECT_EQ(answer.result.figures().at("nonzeros"), at::count_nonzero(C).item<double>());
  EXPECT_EQ(answer.result.provenance().transcoder(), "models/tiny/transcoders/layer1");
  EXPECT_EQ(answer.result.figures().count("undefined_directions"), 0U) << "real ones are all defined";
}

TEST_F(DirectionQuestionsTest, EigenvaluesAreThoseOfTheThresholdedGramMatrix) {
  const StoredAnalysis::Answer answer =
      rig_->Ask("spectrum { $0 theta: 0.3 k: 7 vectors: true by_magnitude: true }", kAll);
  EXPECT_THAT(QuestionRig::NamesOf(answer), ElementsAre("eigenvalue", "singular_value", "sign", "U", "V", "feature"));
  const at::Tensor C = ThresholdedGramOf(0.3), values = std::get<0>(at::linalg_eigh(C));
  const at::Tensor wanted = std::get<0>(values.abs().sort(0, /*descending=*/true)).slice(0, 0, 7);
  EXPECT_LT(LargestError(answer.tensors.at("singular_value"), wanted), 1e-5);
  const at::Tensor U = answer.tensors.at("U").to(at::kDouble);
  EXPECT_LT(LargestError(at::mm(C, U), U * answer.tensors.at("eigenvalue")), 1e-4);
  EXPECT_THAT(QuestionRig::NamesOf(rig_->Ask("spectrum { $0 }", kAll)),
              ElementsAre("eigenvalue", "singular_value", "sign"));
}

TEST_F(DirectionQuestionsTest, WhitenedOnesAreApart) {
  const StoredAnalysis::Answer answer = rig_->Ask("whitening { $0 theta: -1 }", kAll);
  EXPECT_THAT(QuestionRig::NamesOf(answer), ElementsAre("features", "eigenvalue"));
  const at::Tensor features = answer.tensors.at("features").to(at::kDouble);
  EXPECT_EQ(features.size(0), 31) << "as many dimensions as centred decoders have";
  EXPECT_LT(LargestError(at::mm(features, features.t()), at::eye(31)), 1e-3);
}

TEST_F(DirectionQuestionsTest, DefaultsAreFilledIn) {
  const std::string directions =
      "directions { transcoder: \"models/tiny/transcoders/layer1\" kind: DECODER_KIND_REAL }";
  const auto resolved = [&](const std::string& text) { return (*rig_->Open(text, kAll))->spec().ShortDebugString(); };
  EXPECT_EQ(resolved("gram { $0 }"), "gram { " + directions + " theta: 0.5 }");
  EXPECT_EQ(resolved("spectrum { $0 k: 3 }"),
            "spectrum { " + directions + " theta: 0.5 k: 3 tolerance: 1e-06 max_iterations: 200 }");
  EXPECT_EQ(resolved("whitening { $0 }"),
            "whitening { " + directions + " theta: 0.5 cutoff: 0.01 form: WHITENING_FORM_EIGEN }");
}

TEST_F(DirectionQuestionsTest, FactorsAreAskedWithoutTheirModel) {
  const v1::Factorization stored = Store(40, 6);
  const StoredAnalysis::Answer gram = rig_->Ask("gram { directions { factorization: '$0' } }", stored.name());
  EXPECT_THAT(QuestionRig::NamesOf(gram), ElementsAre("neighbors", "neighbor_sum", "factor"));
  const StoredAnalysis::Answer spectrum =
      rig_->Ask("spectrum { directions { factorization: '$0' } vectors: true }", stored.name());
  EXPECT_EQ(QuestionRig::NamesOf(spectrum).back(), "factor");
  EXPECT_EQ(spectrum.tensors.at("U").sizes(), at::IntArrayRef({40, 40}));
}

TEST_F(DirectionQuestionsTest, PredictedOnesThatAreNotDefinedAreAFigure) {
  const v1::Job trained = rig_->rig().WaitForEnd(rig_->rig().Submit(TinyTraining(3)).name());
  ASSERT_OK_AND_ASSIGN(const v1::Midcoder midcoder,
                       rig_->rig().midcoders().Get(trained.trained_midcoders().midcoders(0)));
  const v1::Snapshot snapshot = Collect(rig_->rig(), TinyCollection(nullptr, {midcoder}));
  const TensorMap sums = TensorsOf(rig_->rig(), snapshot.name());
  const at::Tensor defined = sums.at("act_gate_sum").mul(sums.at("W_mid")).ne(0).any(1);
  const StoredAnalysis::Answer answer =
      rig_->Ask("gram { directions { snapshot: '$0' kind: DECODER_KIND_PREDICTED } }", snapshot.name());
  EXPECT_EQ(answer.result.figures().at("undefined_directions"), defined.logical_not().sum().item<double>());
  EXPECT_TRUE(at::equal(answer.tensors.at("feature"), defined.nonzero().squeeze(1)));
  EXPECT_EQ(answer.result.tokens(), snapshot.tokens());
}

TEST_F(DirectionQuestionsTest, WhatTakesLongIsAJobs) {
  const std::string small = Store(500, 2).name(), large = Store(501, 2).name(), larger = Store(2500, 2).name();
  EXPECT_FALSE((*rig_->Open("spectrum { directions { factorization: '$0' } }", small))->TakesLong());
  EXPECT_TRUE((*rig_->Open("spectrum { directions { factorization: '$0' } }", large))->TakesLong());
  EXPECT_TRUE((*rig_->Open("whitening { directions { factorization: '$0' } }", large))->TakesLong());
  EXPECT_TRUE((*rig_->Open("spectrum { directions { factorization: '$0' } k: 3 }", larger))->TakesLong());
  EXPECT_FALSE((*rig_->Open("gram { directions { factorization: '$0' } }", larger))->TakesLong());
  EXPECT_TRUE((*rig_->Open("gram { directions { factorization: '$0' } values: true }", larger))->TakesLong())
      << "for the answer's size";
}

TEST_F(DirectionQuestionsTest, OnlyTheEigenproblemOfALargeMatrixIsALongUnit) {
  const std::string large = Store(501, 2).name(), small = Store(500, 2).name();
  const auto long_units = [&](const std::string& text, const std::string& name) {
    const auto analysis = rig_->Open(text, name);
    EXPECT_OK(analysis);
    std::vector<int64_t> units;
    bool last = false;
    while (!last) {
      if ((*analysis)->NextIsLong()) units.push_back((*analysis)->units_done());
      last = (*analysis)->RunUnit().value_or(true);
    }
    EXPECT_FALSE((*analysis)->NextIsLong()) << "there is none";
    return units;
  };
  // After one unit that reads, one that makes the analysis, and one that fills the matrix.
  EXPECT_THAT(long_units("spectrum { directions { factorization: '$0' } }", large), ElementsAre(3));
  EXPECT_THAT(long_units("whitening { directions { factorization: '$0' } }", large), ElementsAre(3));
  EXPECT_THAT(long_units("spectrum { directions { factorization: '$0' } }", small), ElementsAre());
  EXPECT_THAT(long_units("gram { directions { factorization: '$0' } }", large), ElementsAre());
}

TEST_F(DirectionQuestionsTest, HowManyUnitsThereWillBeIsKnownBeforeDirectionsAreRead) {
  const std::string many = Store(2500, 40).name();
  for (const char* text :
       {"gram { directions { factorization: '$0' } }", "spectrum { directions { factorization: '$0' } }",
        "spectrum { directions { factorization: '$0' } k: 40 }",
        "whitening { directions { factorization: '$0' } k: 40 }"}) {
    const auto analysis = rig_->Open(text, many);
    ASSERT_OK(analysis);
    const int64_t before = (*analysis)->units(), bytes = (*analysis)->result_bytes();
    ASSERT_OK((*analysis)->RunUnit());
    ASSERT_OK((*analysis)->RunUnit());
    EXPECT_EQ((*analysis)->units(), before) << text;
    EXPECT_EQ((*analysis)->result_bytes(), bytes) << text;
  }
}

TEST_F(DirectionQuestionsTest, DirectionsAreReadByUnitsAndNotBefore) {
  const std::string name = Store(5000, 64).name();
  CountingAllocator& allocator = CountingAllocator::Install();
  std::unique_ptr<StoredAnalysis> analysis;
  const int64_t opening = allocator.PeakOf([&] {
    auto opened = rig_->Open("gram { directions { factorization: '$0' } }", name);
    ASSERT_OK(opened);
    analysis = *std::move(opened);
  });
  EXPECT_LT(opening, 5000 * 64 * 4 / 10);
  EXPECT_GE(analysis->peak_bytes(), 2 * 5000 * 64 * 4);

  const auto registry = LoadTinyRegistry();
  (*registry->FindTranscoder("models/tiny/layers/1"))->transcoder->tensor("W_dec")[200].zero_();
  QuestionRig other(folder_.path() + "/other", registry.get());
  const auto zero = other.Open("gram { $0 }", kAll);
  ASSERT_OK(zero) << "nobody has looked";
  absl::StatusOr<bool> last = false;
  while (last.ok() && !*last) last = (*zero)->RunUnit();
  EXPECT_THAT(last, AllOf(IsError(kInvalid, reason::kConfigInvalid), MessageHas("feature 200")));
}

TEST_F(DirectionQuestionsTest, AnIterationThatConvergesEndsBeforeItsLastUnit) {
  const std::string name = Store(2500, 3).name();
  auto analysis = rig_->Open("spectrum { directions { factorization: '$0' } k: 2 theta: -1 }", name);
  ASSERT_OK(analysis);
  const int64_t most = (*analysis)->units();
  const StoredAnalysis::Answer answer = QuestionRig::Run(**analysis);
  EXPECT_LT((*analysis)->units(), most);
  EXPECT_EQ(answer.result.figures().at("converged"), 2);
  EXPECT_EQ(QuestionRig::NamesOf(answer).back(), "residual");
}

TEST_F(DirectionQuestionsTest, AnEstimateIsWhatTheOpenedOneTakes) {
  for (const char* text : {"spectrum { $0 }", "whitening { $0 k: 5 }", "gram { $0 values: true }"}) {
    const auto analysis = rig_->Open(text, kAll);
    ASSERT_OK(analysis);
    ASSERT_OK_AND_ASSIGN(const MemoryEstimate estimate, EstimateAnalysis((*analysis)->spec(), rig_->sources()));
    EXPECT_EQ(estimate.peak_bytes, (*analysis)->peak_bytes()) << text;
  }
  const auto spectrum = rig_->Open("spectrum { $0 vectors: true }", kAll);
  EXPECT_GE((*spectrum)->peak_bytes(), 4 * 256 * 256 * 8) << "LAPACK's workspace counts";
}

TEST_F(DirectionQuestionsTest, NumbersThatCannotBeAreRefused) {
  for (const char* text :
       {"gram { $0 theta: 1.5 }", "spectrum { $0 theta: nan }", "spectrum { $0 k: -1 }", "spectrum { $0 tolerance: 0 }",
        "spectrum { $0 max_iterations: 0 }", "whitening { $0 cutoff: -1 }", "whitening { $0 form: 99 }",
        "snapshot: 'snapshots/a' gram { $0 }", "gram {}", "spectrum { directions {} }"}) {
    EXPECT_THAT(rig_->Open(text, kAll), IsError(kInvalid, reason::kConfigInvalid)) << text;
  }
}

TEST_F(DirectionQuestionsTest, AnEigenproblemThatIsTooLargeIsRefusedWithWhatWouldGo) {
  const std::string name = Store(10'001, 2).name();
  EXPECT_THAT(rig_->Open("spectrum { directions { factorization: '$0' } }", name),
              AllOf(IsError(kInvalid, reason::kConfigInvalid), MessageHas("10001"), MessageHas("top k")));
  EXPECT_THAT(rig_->Open("whitening { directions { factorization: '$0' } }", name),
              IsError(kInvalid, reason::kConfigInvalid));
  EXPECT_THAT(rig_->Open("gram { directions { factorization: '$0' } values: true }", name),
              AllOf(IsError(kInvalid, reason::kConfigInvalid), MessageHas("without values")));
  EXPECT_OK(rig_->Open("spectrum { directions { factorization: '$0' } k: 5 }", name));
}

}  // namespace
}  // namespace superpose
