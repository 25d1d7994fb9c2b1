#include "lib/factorization/factorization_run.h"

#include <set>
#include <vector>

#include "lib/factorization/directions.h"
#include "tests/lib/factorization/factorization_run_rig.h"

namespace superpose {
namespace {

class FactorizationRunForms : public testing::TestWithParam<FactorForm> {};
INSTANTIATE_TEST_SUITE_P(Forms, FactorizationRunForms, testing::Values(FactorForm::kTopK, FactorForm::kGram),
                         [](const auto& info) { return info.param == FactorForm::kTopK ? "TopK" : "Gram"; });

TEST_P(FactorizationRunForms, TheFirstFitIsTheFactorizersAndQualityThatOfTheMeter) {
  const FactorizationRunConfig config = SmallRun(GetParam());
  const auto run = NewRun(config);
  RunToEnd(*run);
  ASSERT_OK_AND_ASSIGN(const at::Tensor units, UnitDirections(SmallRunInputs().directions, at::kFloat));
  const at::Tensor fitted = units.index_select(0, run->split().fitted);
  const at::Tensor held_out = units.index_select(0, run->split().held_out);
  ASSERT_OK_AND_ASSIGN(const auto factorizer, Factorizer::Create({fitted, {}, {}}, config.factorizer));
  ASSERT_OK(factorizer->RunSlice(Budget::Unlimited()));
  const TensorMap tensors = ResultOf(*run);
  EXPECT_TRUE(at::equal(tensors.at("parameter"), factorizer->CheckpointTensors().at("factors")));
  EXPECT_LT((tensors.at("factors") - factorizer->UnitFactors()).abs().max().item<double>(), 1e-6);
  EXPECT_TRUE(at::equal(tensors.at("directions"), at::cat({fitted, held_out})));
  EXPECT_EQ(tensors.at("loss")[11].item<double>(), factorizer->HistorySince(11)[0].loss);

  QualitySettings settings;
  settings.rule = {.form = GetParam(), .codes = 3, .theta = config.factorizer.theta};
  settings.seed = config.factorizer.seed;
  ASSERT_OK_AND_ASSIGN(const auto meter, QualityMeter::Create({tensors.at("factors"), fitted, held_out}, settings));
  ASSERT_OK(meter->RunSlice(Budget::Unlimited()));
  const FactorizationQuality& quality = meter->quality();
  EXPECT_TRUE(at::equal(tensors.at("error"), at::cat({quality.fitted.error, quality.held_out->error})));
  EXPECT_TRUE(at::equal(tensors.at("nearest"), quality.similarity.nearest));
  EXPECT_EQ(run->quality().k_means.held_out->mean_error, quality.k_means.held_out->mean_error);
}

TEST_P(FactorizationRunForms, StabilityIsThatOfFitsWithTheNextSeeds) {
  FactorizationRunConfig config = SmallRun(GetParam());
  const auto run = NewRun(config);
  RunToEnd(*run);
  ASSERT_OK_AND_ASSIGN(const at::Tensor units, UnitDirections(SmallRunInputs().directions, at::kFloat));
  const at::Tensor fitted = units.index_select(0, run->split().fitted);
  const TensorMap tensors = ResultOf(*run);
  double sum = 0;
  for (int64_t r = 0; r < 2; ++r) {
    ++config.factorizer.seed;
    ASSERT_OK_AND_ASSIGN(const auto other, Factorizer::Create({fitted, {}, {}}, config.factorizer));
    ASSERT_OK(other->RunSlice(Budget::Unlimited()));
    const at::Tensor cosines = tensors.at("factors").mm(other->UnitFactors().t()).abs();
    const at::Tensor there = std::get<0>(cosines.max(1)), back = std::get<0>(cosines.max(0));
    EXPECT_LT((tensors.at("stability_cosine")[r] - there).abs().max().item<double>(), 1e-5);
    EXPECT_TRUE(at::equal(tensors.at("stability_match")[r], std::get<1>(cosines.max(1))));
    sum += (there.mean().item<double>() + back.mean().item<double>()) / 2;
  }
  ASSERT_TRUE(run->stability().has_value());
  EXPECT_NEAR(*run->stability(), sum / 2, 1e-6);
}

TEST_P(FactorizationRunForms, SlicesChangeNoNumber) {
  const auto whole = NewRun(SmallRun(GetParam())), sliced = NewRun(SmallRun(GetParam()));
  RunToEnd(*whole);
  int slices = 0;
  for (bool done = false; !done; ++slices) {
    ASSERT_OK_AND_ASSIGN(done, sliced->RunSlice(OneUnitOfRun()));
  }
  EXPECT_GT(slices, 3 * 12 * 3);
  ExpectSameResults(*sliced, *whole);
}

// Which boundaries there are: in each fit, between fits, while the quality is measured, at the end.
std::string KindOf(const FactorizationRun& run, const TensorMap& tensors) {
  if (tensors.count("fit.factors") > 0) return absl::StrCat("fit ", run.fit());
  return run.steps_done() == run.steps_total() ? "quality" : absl::StrCat("before fit ", run.fit());
}

TEST_P(FactorizationRunForms, ARunThatWasResumedIsTheSameRun) {
  const FactorizationRunConfig config = SmallRun(GetParam());
  const auto whole = NewRun(config), walked = NewRun(config);
  RunToEnd(*whole);
  std::set<std::string> kinds;
  int boundaries = 0;
  for (bool done = false; !done;) {
    ASSERT_OK_AND_ASSIGN(done, walked->RunSlice(OneUnitOfRun()));
    if (!walked->at_boundary() || (++boundaries % 3 != 0 && !done)) continue;
    const TensorMap tensors = CopyOf(walked->CheckpointTensors());
    kinds.insert(KindOf(*walked, tensors));
    const auto resumed = NewRun(config);
    ASSERT_OK(resumed->RunSlice(OneUnitOfRun()));  // it has begun something else
    ASSERT_OK(resumed->Restore(tensors, walked->CheckpointMetadata()));
    EXPECT_EQ(resumed->steps_done(), walked->steps_done());
    EXPECT_EQ(resumed->fit(), walked->fit());
    RunToEnd(*resumed);
    ExpectSameResults(*resumed, *whole);
  }
  for (const char* kind : {"fit 1", "fit 2", "fit 3", "quality"}) EXPECT_EQ(kinds.count(kind), 1) << kind;
}

TEST(FactorizationRun, ACheckpointBetweenTwoFitsHasNoFitUnderWay) {
  const FactorizationRunConfig config = SmallRun();
  const auto whole = NewRun(config), first = NewRun(config), resumed = NewRun(config);
  RunToEnd(*whole);
  while (first->fit() < 2) ASSERT_OK(first->RunSlice(OneUnitOfRun()));
  ASSERT_TRUE(first->at_boundary());
  const TensorMap tensors = CopyOf(first->CheckpointTensors());
  EXPECT_EQ(tensors.size(), 2) << "parameter and history";
  ASSERT_OK(resumed->Restore(tensors, first->CheckpointMetadata()));
  EXPECT_EQ(resumed->steps_done(), 12);
  EXPECT_EQ(resumed->history().size(), 12);
  EXPECT_FALSE(resumed->newest_loss().has_value()) << "of this run's life";
  RunToEnd(*resumed);
  ExpectSameResults(*resumed, *whole);
}

TEST(FactorizationRun, AFinishedRunCanBeMeasuredAgain) {
  const auto whole = NewRun(SmallRun()), resumed = NewRun(SmallRun());
  RunToEnd(*whole);
  ASSERT_OK(resumed->Restore(CopyOf(whole->CheckpointTensors()), whole->CheckpointMetadata()));
  RunToEnd(*resumed);
  ExpectSameResults(*resumed, *whole);
}

TEST(FactorizationRun, CountsStepsOfAllFitsAndNamesTheOneUnderWay) {
  const auto run = NewRun(SmallRun());
  EXPECT_EQ(run->fits(), 3);
  EXPECT_EQ(run->steps_total(), 36);
  EXPECT_EQ(run->steps_done(), 0);
  EXPECT_EQ(run->fit(), 1);
  EXPECT_FALSE(run->newest_loss().has_value());
  std::vector<int64_t> fits;
  int64_t before = 0;
  for (bool done = false; !done;) {
    ASSERT_OK_AND_ASSIGN(done, run->RunSlice(OneUnitOfRun()));
    EXPECT_GE(run->steps_done(), before);
    EXPECT_LE(run->steps_done(), before + 1);
    before = run->steps_done();
    if (fits.empty() || fits.back() != run->fit()) fits.push_back(run->fit());
  }
  EXPECT_EQ(fits, (std::vector<int64_t>{1, 2, 3}));
  EXPECT_EQ(before, 36);
  EXPECT_EQ(run->newest_loss()->step, 12);
  EXPECT_EQ(run->history().size(), 12);
}

TEST(FactorizationRun, WithoutOtherSeedsThereIsNoStability) {
  FactorizationRunConfig config = SmallRun();
  config.stability_runs = 0;
  const auto run = NewRun(config);
  RunToEnd(*run);
  EXPECT_FALSE(run->stability().has_value());
  EXPECT_EQ(ResultOf(*run).count("stability_match"), 0);
}

TEST(FactorizationRun, WithoutAnyHeldOutAllAreFitted) {
  FactorizationRunConfig config = SmallRun();
  config.held_out_share = 0;
  config.stability_runs = 0;
  const auto run = NewRun(config);
  RunToEnd(*run);
  EXPECT_FALSE(run->quality().held_out.has_value());
  EXPECT_EQ(ResultOf(*run).at("error").size(0), kRunDecoders);
  EXPECT_EQ(run->split().held_out.numel(), 0);
}

TEST(FactorizationRun, ItsTensorsHaveTheShapesAndTypesOfAnArtifact) {
  const auto run = NewRun(SmallRun());
  RunToEnd(*run);
  const TensorMap tensors = ResultOf(*run);
  const auto is = [&](const char* name, at::ScalarType type, at::IntArrayRef shape) {
    ASSERT_EQ(tensors.count(name), 1) << name;
    EXPECT_EQ(tensors.at(name).scalar_type(), type) << name;
    EXPECT_EQ(tensors.at(name).sizes(), shape) << name;
  };
  for (const char* name : {"factors", "parameter"}) is(name, at::kFloat, {40, kRunWidth});
  is("directions", at::kFloat, {kRunDecoders, kRunWidth});
  for (const char* name : {"error", "cosine"}) is(name, at::kFloat, {kRunDecoders});
  is("l0", at::kLong, {kRunDecoders});
  is("code_factors", at::kInt, {kRunDecoders, 3});
  is("code_values", at::kFloat, {kRunDecoders, 3});
  for (const char* name : {"uses", "nearest"}) is(name, at::kLong, {40});
  is("nearest_cosine", at::kFloat, {40});
  is("cosine_histogram", at::kLong, {200});
  for (const char* name : {"loss", "decoder_loss", "factor_loss", "lr"}) is(name, at::kDouble, {12});
  is("stability_match", at::kLong, {2, 40});
  is("stability_cosine", at::kFloat, {2, 40});
  EXPECT_EQ(tensors.size(), 18);
}

TEST(FactorizationRun, AStartWithoutEpochsIsMeasuredAsItIs) {
  FactorizationRunConfig config = SmallRun();
  config.factorizer.epochs = 0;
  config.factorizer.factors = 7;  // the start's decides
  config.stability_runs = 0;
  const at::Tensor start = SomeUnitRows(30, kRunWidth, 1.3) * 5;
  const auto run = NewRun(config, {SmallRunInputs().directions, start});
  EXPECT_EQ(run->steps_total(), 0);
  RunToEnd(*run);
  const TensorMap tensors = ResultOf(*run);
  EXPECT_TRUE(at::equal(tensors.at("parameter"), start.to(at::kFloat)));
  EXPECT_TRUE(at::equal(tensors.at("factors"), UnitDirections(start.to(at::kFloat), at::kFloat).value()));
  EXPECT_EQ(tensors.count("loss"), 0);
  EXPECT_EQ(run->quality().fitted.uses.numel(), 30);
  const auto resumed = NewRun(config, {SmallRunInputs().directions, start});
  ASSERT_OK(resumed->Restore(CopyOf(run->CheckpointTensors()), run->CheckpointMetadata()));
  RunToEnd(*resumed);
  ExpectSameResults(*resumed, *run);
}

TEST(FactorizationRun, AStartIsWhereItBegins) {
  FactorizationRunConfig config = SmallRun();
  config.stability_runs = 0;
  const at::Tensor start = SomeUnitRows(30, kRunWidth, 1.3) * 4;
  const auto run = NewRun(config, {SmallRunInputs().directions, start});
  while (run->steps_done() == 0) ASSERT_OK(run->RunSlice(OneUnitOfRun()));
  const at::Tensor moved = run->CheckpointTensors().at("fit.factors") - start;
  EXPECT_LE(moved.abs().max().item<double>(), 1.01e-2) << "AdamW's first step is lr long";
  EXPECT_GT(moved.abs().max().item<double>(), 1e-3);
}

TEST(FactorizationRun, OfAStartOnlyDecodersThatItHeldOutAreHeldOutAgain) {
  FactorizationRunConfig config = SmallRun();
  config.stability_runs = 0;
  const auto first = NewRun(config);
  RunToEnd(*first);
  config.factorizer.seed = 99;
  const at::Tensor held_out = first->split().held_out;
  const auto further = NewRun(
      config,
      {.directions = SmallRunInputs().directions, .start = ResultOf(*first).at("parameter"), .may_hold_out = held_out});
  EXPECT_TRUE(at::equal(further->split().held_out, held_out));
}

TEST(FactorizationRun, PartsThatAreMeasuredAreCountedAfterTheSteps) {
  for (const double share : {0.0, 0.1}) {
    FactorizationRunConfig config = SmallRun();
    config.held_out_share = share;
    const auto run = NewRun(config);
    while (run->steps_done() < run->steps_total()) {
      EXPECT_EQ(run->parts_measured(), 0);
      ASSERT_OK(run->RunSlice(OneUnitOfRun()));
    }
    EXPECT_LT(run->parts_measured(), run->parts_to_measure());
    RunToEnd(*run);
    EXPECT_EQ(run->parts_measured(), run->parts_to_measure());
  }
}

// Few parts may stay mixed, as in any dictionary; what they make up must be small.
TEST(FactorizationRun, PartsThatAreThereAreFoundByEverySeed) {
  const MadeOfParts made = RowsOfTwoParts(600);
  FactorizationRunConfig config;
  config.factorizer.factors = 12;
  config.factorizer.codes = 2;
  config.factorizer.epochs = 150;
  config.factorizer.batch_size = 100;
  config.stability_runs = 2;
  const auto run = NewRun(config, {made.rows, {}});
  RunToEnd(*run);
  const at::Tensor found = made.parts.to(at::kFloat).mm(ResultOf(*run).at("factors").t()).abs();
  EXPECT_GT(std::get<0>(found.max(1)).median().item<double>(), 0.98);
  EXPECT_GT(*run->stability(), 0.85);
  EXPECT_LT(Summarize(*run->quality().held_out).mean_error, 0.15);
  EXPECT_LT(Summarize(run->quality().fitted).mean_error, run->quality().pca.fitted.mean_error);
}

}  // namespace
}  // namespace superpose
