// Questions to stored factorizations.
#include "server/analysis/factor_questions.h"

#include "server/analysis/analysis_subject.h"
#include "server/runtime/reasons.h"
#include "tests/server/analysis/question_rig.h"
#include "tests/support/golden.h"

namespace superpose {
namespace {

using testing::AllOf;
using testing::ElementsAre;

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;
constexpr auto kPrecondition = absl::StatusCode::kFailedPrecondition;
constexpr auto kNotFound = absl::StatusCode::kNotFound;

std::vector<int64_t> Ids(const at::Tensor& ids) {
  const at::Tensor values = ids.to(at::kLong).contiguous();
  return {values.const_data_ptr<int64_t>(), values.const_data_ptr<int64_t>() + values.numel()};
}

std::vector<double> Numbers(const at::Tensor& numbers) {
  const at::Tensor values = numbers.to(at::kDouble).contiguous();
  return {values.const_data_ptr<double>(), values.const_data_ptr<double>() + values.numel()};
}

// Factors e0, e1, e2. Decoders of features 70, 8, 31 (held out) and 5: (0.6, 0.8, 0), e1, (0, -0.6, 0.8), -e0.
TensorMap SmallTensors() {
  return {{"factors", at::eye(3, at::kFloat)},
          {"parameter", at::eye(3, at::kFloat) * 2},
          {"directions",
           at::tensor({0.6F, 0.8F, 0.0F, 0.0F, 1.0F, 0.0F, 0.0F, -0.6F, 0.8F, -1.0F, 0.0F, 0.0F}).view({4, 3})},
          {"feature", at::tensor({70, 8, 31, 5}, at::kLong)},
          {"code_factors", at::tensor({1, 0, 1, -1, 2, 1, 0, -1}, at::kInt).view({4, 2})},
          {"code_values", at::tensor({0.8F, 0.6F, 1.0F, 0.0F, 0.8F, -0.6F, -1.0F, 0.0F}).view({4, 2})}};
}

class FactorQuestionsTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_NE(TinyRegistry(), nullptr);
    rig_.emplace(folder_.path());
  }
  std::string Store(v1::FactorizationForm form = v1::FACTORIZATION_FORM_TOPK, const TensorMap& tensors = SmallTensors(),
                    double theta = 0.7) {
    v1::Factorization facts;
    facts.set_factors(tensors.at("factors").size(0));
    facts.set_width(tensors.at("factors").size(1));
    facts.set_decoders(3);
    facts.set_held_out_decoders(1);
    facts.mutable_provenance()->set_transcoder("models/gone/transcoders/t");
    facts.mutable_spec()->set_form(form);
    facts.mutable_spec()->set_theta(theta);
    return Add(facts, tensors);
  }
  std::string Import() {
    v1::Factorization facts;
    facts.set_factors(3);
    facts.set_width(3);
    facts.set_imported_from("reference .pt");
    TensorMap tensors = SmallTensors();
    std::erase_if(tensors, [](const auto& one) { return one.first != "factors" && one.first != "parameter"; });
    return Add(facts, tensors);
  }
  std::string Add(const v1::Factorization& facts, const TensorMap& tensors) {
    const auto stored = rig_->rig().factorizations().Add(facts, tensors, absl::UnixEpoch());
    EXPECT_OK(stored);
    return stored.ok() ? stored->name() : "";
  }

  TemporaryFolder folder_;
  std::optional<QuestionRig> rig_;
};

TEST_F(FactorQuestionsTest, ADecoderIsMadeOfItsCodes) {
  const StoredAnalysis::Answer answer = rig_->Ask("factors_of_decoder { factorization: '$0' feature: 31 }", Store());
  EXPECT_THAT(QuestionRig::NamesOf(answer), ElementsAre("factor", "code", "cosine"));
  EXPECT_THAT(Ids(answer.tensors.at("factor")), ElementsAre(2, 1));
  EXPECT_LT(LargestError(answer.tensors.at("code"), at::tensor({0.8, -0.6})), 1e-6);
  EXPECT_EQ(answer.result.figures().at("l0"), 2);
  EXPECT_NEAR(answer.result.figures().at("error"), 0, 1e-10);
  EXPECT_EQ(answer.result.provenance().transcoder(), "models/gone/transcoders/t") << "which need not be loaded";
}

TEST_F(FactorQuestionsTest, InFormGramItIsNearFactors) {
  const StoredAnalysis::Answer answer =
      rig_->Ask("factors_of_decoder { factorization: '$0' feature: 70 }", Store(v1::FACTORIZATION_FORM_GRAM));
  EXPECT_THAT(QuestionRig::NamesOf(answer), ElementsAre("factor", "cosine"));
  EXPECT_THAT(Ids(answer.tensors.at("factor")), ElementsAre(1)) << "0.6 is not above theta";
  EXPECT_EQ(answer.result.figures().at("l0"), 1);
}

TEST_F(FactorQuestionsTest, NoFactorIsNearerThanAThetaAboveOne) {
  for (const double theta : {1.0, 1.5, 1e15, double{NAN}}) {
    const std::string name = Store(v1::FACTORIZATION_FORM_GRAM, SmallTensors(), theta);
    const StoredAnalysis::Answer answer = rig_->Ask("factors_of_decoder { factorization: '$0' feature: 70 }", name);
    EXPECT_EQ(answer.result.figures().at("l0"), 0) << theta;
    EXPECT_EQ(answer.tensors.at("factor").numel(), 0) << theta;
  }
  const std::string all = Store(v1::FACTORIZATION_FORM_GRAM, SmallTensors(), -7);
  EXPECT_EQ(rig_->Ask("factors_of_decoder { factorization: '$0' feature: 70 }", all).result.figures().at("l0"), 3);
}

TEST_F(FactorQuestionsTest, DecodersThatHaveAFactorAreFeatures) {
  const StoredAnalysis::Answer answer = rig_->Ask("decoders_of_factor { factorization: '$0' factor: 1 k: 2 }", Store());
  EXPECT_THAT(QuestionRig::NamesOf(answer), ElementsAre("feature", "code", "cosine", "block"));
  EXPECT_THAT(Ids(answer.tensors.at("feature")), ElementsAre(8, 70));
  EXPECT_LT(LargestError(answer.tensors.at("code"), at::tensor({1.0, 0.8})), 1e-6);
  EXPECT_LT(LargestError(answer.tensors.at("cosine"), at::tensor({1.0, 0.8})), 1e-6);
  EXPECT_LT(LargestError(answer.tensors.at("block"), at::tensor({1.0, 0.8, 0.8, 1.0}).view({2, 2})), 1e-6);
  EXPECT_EQ(answer.result.figures().at("decoders"), 3);
  EXPECT_EQ(answer.result.spec().decoders_of_factor().by(), v1::FACTOR_MEASURE_CODE);
}

TEST_F(FactorQuestionsTest, ByCosineAllDecodersCount) {
  for (const auto form : {v1::FACTORIZATION_FORM_TOPK, v1::FACTORIZATION_FORM_GRAM}) {
    const StoredAnalysis::Answer answer =
        rig_->Ask("decoders_of_factor { factorization: '$0' factor: 0 by: FACTOR_MEASURE_COSINE }", Store(form));
    EXPECT_THAT(QuestionRig::NamesOf(answer), ElementsAre("feature", "cosine", "block"));
    EXPECT_THAT(Ids(answer.tensors.at("feature").slice(0, 0, 2)), ElementsAre(5, 70));
    EXPECT_NEAR(Numbers(answer.tensors.at("cosine"))[0], -1, 1e-6);
    EXPECT_EQ(answer.tensors.at("feature").numel(), 4);
    EXPECT_EQ(answer.result.spec().decoders_of_factor().k(), 20);
    EXPECT_EQ(answer.result.figures().count("decoders"), 0U);
  }
  const StoredAnalysis::Answer gram =
      rig_->Ask("decoders_of_factor { factorization: '$0' }", Store(v1::FACTORIZATION_FORM_GRAM));
  EXPECT_EQ(gram.result.spec().decoders_of_factor().by(), v1::FACTOR_MEASURE_COSINE);
}

TEST_F(FactorQuestionsTest, FeaturesThatShareFactorsAreToldWithTheirCosines) {
  const StoredAnalysis::Answer answer = rig_->Ask("shared_factors { factorization: '$0' feature: 70 }", Store());
  EXPECT_THAT(QuestionRig::NamesOf(answer), ElementsAre("feature", "shared", "overlap", "cosine"));
  EXPECT_THAT(Ids(answer.tensors.at("feature")), ElementsAre(8, 5, 31));
  EXPECT_THAT(Ids(answer.tensors.at("shared")), ElementsAre(1, 1, 1));
  const at::Tensor wanted = at::tensor({0.8, -0.6, -0.48});
  EXPECT_LT(LargestError(answer.tensors.at("overlap"), wanted), 1e-6);
  EXPECT_LT(LargestError(answer.tensors.at("cosine"), wanted), 1e-6) << "codes on factors that are at right angles";
  EXPECT_EQ(answer.result.figures().at("decoders"), 3);
}

TEST_F(FactorQuestionsTest, FactorsOfTwoAreMatchedBothWays) {
  TensorMap others = SmallTensors();
  others["factors"] = at::tensor({0.0F, -1.0F, 0.0F, 0.6F, 0.0F, 0.8F}).view({2, 3});
  const std::string other = Store(v1::FACTORIZATION_FORM_TOPK, others), imported = Import();
  const StoredAnalysis::Answer answer = rig_->Ask("factor_match { factorization: '$0' other: '$1' }", imported, other);
  EXPECT_THAT(QuestionRig::NamesOf(answer), ElementsAre("match", "cosine", "other_match", "other_cosine"));
  EXPECT_THAT(Ids(answer.tensors.at("match")), ElementsAre(1, 0, 1));
  EXPECT_LT(LargestError(answer.tensors.at("cosine"), at::tensor({0.6, 1.0, 0.8})), 1e-6);
  EXPECT_THAT(Ids(answer.tensors.at("other_match")), ElementsAre(1, 2));
  EXPECT_NEAR(answer.result.figures().at("stability"), (0.8 + 0.9) / 2, 1e-6);
  others["factors"] = at::ones({1, 2}) / std::sqrt(2);
  const std::string narrow = Store(v1::FACTORIZATION_FORM_TOPK, others);
  EXPECT_THAT(rig_->Open("factor_match { factorization: '$0' other: '$1' }", other, narrow),
              IsError(kInvalid, reason::kTensorShapeMismatch));
}

TEST_F(FactorQuestionsTest, ManyTilesAreMatchedInUnits) {
  std::string names[2];
  for (std::string& name : names) {
    TensorMap tensors = SmallTensors();
    const at::Tensor rows = at::randn({3000, 4});
    tensors["factors"] = rows / rows.norm(2, at::IntArrayRef{1}, /*keepdim=*/true);
    name = Store(v1::FACTORIZATION_FORM_TOPK, tensors);
  }
  auto analysis = rig_->Open("factor_match { factorization: '$0' other: '$1' }", names[0], names[1]);
  ASSERT_OK(analysis);
  EXPECT_EQ((*analysis)->units(), 3) << "9 tiles";
  const StoredAnalysis::Answer answer = QuestionRig::Run(**analysis);
  EXPECT_GE(answer.tensors.at("match").min().item<int64_t>(), 0);
  EXPECT_GE(answer.tensors.at("other_match").min().item<int64_t>(), 0);
}

TEST_F(FactorQuestionsTest, AFeatureThatIsNotAmongThemIsTold) {
  const std::string name = Store();
  for (const char* text : {"factors_of_decoder { factorization: '$0' feature: 9 }",
                           "shared_factors { factorization: '$0' feature: -1 }"}) {
    EXPECT_THAT(rig_->Open(text, name), AllOf(IsError(kInvalid, reason::kFeatureOutOfRange), MessageHas("4 decoders")))
        << text;
  }
}

TEST_F(FactorQuestionsTest, FormGramHasNoCodesToAskFor) {
  const std::string name = Store(v1::FACTORIZATION_FORM_GRAM);
  for (const char* text : {"shared_factors { factorization: '$0' feature: 70 }",
                           "decoders_of_factor { factorization: '$0' by: FACTOR_MEASURE_CODE }"}) {
    EXPECT_THAT(rig_->Open(text, name), AllOf(IsError(kInvalid, reason::kConfigInvalid), MessageHas("gram"))) << text;
  }
}

TEST_F(FactorQuestionsTest, AnImportedOneSaysHowToGetDecoders) {
  const std::string name = Import();
  for (const char* text :
       {"factors_of_decoder { factorization: '$0' feature: 70 }", "decoders_of_factor { factorization: '$0' }",
        "shared_factors { factorization: '$0' feature: 70 }"}) {
    EXPECT_THAT(rig_->Open(text, name), AllOf(IsError(kPrecondition, reason::kTensorMissing), MessageHas("0 epochs")))
        << text;
  }
}

TEST_F(FactorQuestionsTest, NumbersAndNamesThatCannotBeAreRefused) {
  const std::string name = Store();
  for (const char* text :
       {"decoders_of_factor { factorization: '$0' factor: 3 }", "decoders_of_factor { factorization: '$0' factor: -1 }",
        "decoders_of_factor { factorization: '$0' k: 0 }", "decoders_of_factor { factorization: '$0' k: 1001 }",
        "decoders_of_factor { factorization: '$0' by: 99 }", "shared_factors { factorization: '$0' feature: 70 k: -3 }",
        "snapshot: 'snapshots/a' factors_of_decoder { factorization: '$0' feature: 70 }"}) {
    EXPECT_THAT(rig_->Open(text, name), IsError(kInvalid, reason::kConfigInvalid)) << text;
  }
  EXPECT_OK(rig_->Open("decoders_of_factor { factorization: '$0' k: 1000 }", name));
  EXPECT_OK(rig_->Open("shared_factors { factorization: '$0' feature: 70 k: 100000 }", name)) << "without a block";
  EXPECT_THAT(rig_->Open("factors_of_decoder { factorization: 'factorizations/gone' }"),
              IsError(kNotFound, reason::kFactorizationNotFound));
  EXPECT_THAT(rig_->Open("factor_match { factorization: '$0' other: 'factorizations/gone' }", name),
              IsError(kNotFound, reason::kFactorizationNotFound));
  EXPECT_THAT(rig_->Open("factors_of_decoder {}"), IsError(kInvalid, reason::kNameInvalid));
}

TEST_F(FactorQuestionsTest, AStoredOneTellsWhatItWasNotFittedOn) {
  ASSERT_OK_AND_ASSIGN(const auto stored, StoredFactorization::Open(&rig_->rig().factorizations(), Store()));
  EXPECT_THAT(Ids(stored->HeldOutFeatures().value()), ElementsAre(5)) << "the last of its features";
  EXPECT_TRUE(at::equal(stored->Parameter().value(), at::eye(3) * 2));
  ASSERT_OK_AND_ASSIGN(const auto imported, StoredFactorization::Open(&rig_->rig().factorizations(), Import()));
  EXPECT_THAT(imported->HeldOutFeatures(), IsError(kPrecondition, reason::kTensorMissing));
  TensorMap tensors = SmallTensors();
  tensors["parameter"] = at::eye(4);
  const std::string wrong = Store(v1::FACTORIZATION_FORM_TOPK, tensors);
  ASSERT_OK_AND_ASSIGN(const auto broken, StoredFactorization::Open(&rig_->rig().factorizations(), wrong));
  EXPECT_THAT(broken->Parameter(), IsError(kInvalid, reason::kTensorShapeMismatch));
}

TEST_F(FactorQuestionsTest, TensorsThatDoNotFitEachOtherAreRefused) {
  TensorMap tensors = SmallTensors();
  tensors["feature"] = at::arange(3);
  EXPECT_THAT(rig_->Open("factors_of_decoder { factorization: '$0' }", Store(v1::FACTORIZATION_FORM_TOPK, tensors)),
              IsError(kInvalid, reason::kTensorShapeMismatch));
  tensors = SmallTensors();
  tensors["code_factors"][0][0] = 3;
  EXPECT_THAT(
      rig_->Open("shared_factors { factorization: '$0' feature: 8 }", Store(v1::FACTORIZATION_FORM_TOPK, tensors)),
      IsError(kInvalid, reason::kTensorShapeMismatch));
}

TEST(AnalysisSubjectTest, EveryQuestionNamesWhatItReads) {
  const auto names = [](const std::string& text) { return ResourcesOf(QuestionRig::Spec(text)); };
  EXPECT_THAT(names("snapshot: 'snapshots/a' frequencies {}"), ElementsAre("snapshots/a"));
  EXPECT_THAT(names("whitening { directions { snapshot: 'snapshots/a' transcoder: 'models/m/transcoders/t' } }"),
              ElementsAre("models/m/transcoders/t", "snapshots/a"));
  EXPECT_THAT(names("gram { directions { factorization: 'factorizations/f' } }"), ElementsAre("factorizations/f"));
  EXPECT_THAT(names("factor_match { factorization: 'factorizations/f' other: 'factorizations/g' }"),
              ElementsAre("factorizations/f", "factorizations/g"));
  EXPECT_THAT(names("shared_factors { factorization: 'factorizations/f' }"), ElementsAre("factorizations/f"));
  EXPECT_THAT(names(""), testing::IsEmpty());
  EXPECT_EQ(SubjectOf(QuestionRig::Spec("")), AnalysisSubject::kNone);
}

}  // namespace
}  // namespace superpose
