// Jobs that factorize decoders, from their submission to their factorization, over crashes and stops.
#include "server/jobs/factorization_work.h"

#include <filesystem>

#include "server/jobs/checkpoint_files.h"
#include "server/jobs/statement.h"
#include "server/runtime/reasons.h"
#include "tests/server/jobs/factorization_rig.h"
#include "tests/support/golden.h"

namespace superpose {
namespace {

using testing::IsEmpty;
using testing::Not;

class FactorizationWorkTest : public testing::Test {
 protected:
  void SetUp() override { ASSERT_NE(TinyRegistry(), nullptr); }

  // Runs the job for so many steps, as a server that crashes then; its newest checkpoint is that of `checkpoint` steps.
  std::string Crash(int64_t checkpoint, int64_t steps) {
    Gate gate(checkpoint);
    std::string name;
    {
      ManagerRig rig(folder_.path(), Gated(&gate));
      name = rig.Submit(TinyFactorization(rig)).name();
      WaitUntilDone(rig, name, checkpoint);
      rig.manager().Stop(absl::InfiniteFuture());  // writes a checkpoint
      rig.DestroyManager();
    }
    EXPECT_THAT(CheckpointFiles(folder_ / name).NewestFirst().value_or(std::vector<std::string>()), Not(IsEmpty()));
    gate.OpenUpTo(steps);
    ManagerRig rig(folder_.path(), Gated(&gate));
    WaitUntilDone(rig, name, steps);
    rig.DestroyManager();
    rig.executor().Stop();
    return name;
  }

  TemporaryFolder folder_;
};

// The library's run over the same decoders.
void ExpectAsDirectly(ManagerRig& rig, const v1::Factorization& factorization) {
  const auto directions = ReadDirections(SourcesOf(rig), factorization.spec().directions());
  ASSERT_OK(directions);
  const auto run = FactorizationRun::Create({directions->rows, {}}, FactorizationRunConfigOf(factorization.spec()));
  ASSERT_OK(run);
  ASSERT_OK((*run)->RunSlice(Budget::Unlimited()));
  ASSERT_OK_AND_ASSIGN(TensorMap wanted, (*run)->ResultTensors());
  const at::Tensor order = at::cat({(*run)->split().fitted, (*run)->split().held_out});
  wanted["feature"] = directions->ids.index_select(0, order);
  wanted["rank"] = directions->ranks.index_select(0, order);
  ExpectSame(FactorsOf(rig, factorization.name()), wanted);
  EXPECT_EQ(factorization.quality().stability(), *(*run)->stability());
  EXPECT_EQ(factorization.quality().fitted().mean_error(), Summarize((*run)->quality().fitted).mean_error);
}

TEST_F(FactorizationWorkTest, FactorsAndQualityAreThoseOfTheLibrarysRun) {
  ManagerRig rig(folder_.path());
  const v1::Job job = TinyFactorization(rig, [](auto* spec) { (*spec->mutable_labels())["run"] = "first"; });
  const v1::Job end = rig.WaitForEnd(rig.Submit(job).name());
  const v1::Factorization made = FactorizationOf(rig, end);
  ExpectAsDirectly(rig, made);
  EXPECT_EQ(made.layer(), 1);
  EXPECT_EQ(made.factors(), 40);
  EXPECT_EQ(made.width(), 32);
  EXPECT_EQ(made.decoders(), 180);
  EXPECT_EQ(made.held_out_decoders(), 20);
  EXPECT_EQ(made.undefined_decoders(), 0);
  EXPECT_EQ(made.steps(), 12);
  EXPECT_EQ(made.owner(), "ada");
  EXPECT_EQ(made.job(), end.name());
  EXPECT_EQ(made.labels().at("run"), "first");
  EXPECT_EQ(made.provenance().transcoder(), kTinyTranscoder);
  EXPECT_TRUE(made.imported_from().empty());
  EXPECT_EQ(end.factorization().quality().stability(), made.quality().stability());
  EXPECT_EQ(end.progress().unit(), "steps");
  EXPECT_EQ(end.progress().done(), 24 + QualityMeter::PartsOf(/*has_held_out=*/true));
  EXPECT_EQ(end.progress().total(), end.progress().done());
}

TEST_F(FactorizationWorkTest, QualityHasAllItsFigures) {
  ManagerRig rig(folder_.path());
  const v1::FactorizationQuality quality = Factorize(rig, TinyFactorization(rig)).quality();
  for (const v1::ExplanationQuality& one : {quality.fitted(), quality.k_means().fitted(), quality.pca().fitted()}) {
    EXPECT_EQ(one.decoders(), 180);
    EXPECT_GT(one.mean_error(), 0);
    EXPECT_LT(one.median_error(), 1);
    EXPECT_GT(one.mean_cosine(), 0);
    EXPECT_GT(one.median_cosine(), 0);
    EXPECT_GT(one.mean_l0(), 0);
    EXPECT_LE(one.mean_l0(), 3);
  }
  EXPECT_EQ(quality.held_out().decoders(), 20);
  EXPECT_EQ(quality.k_means().held_out().decoders(), 20);
  EXPECT_EQ(quality.k_means().directions(), 40);
  EXPECT_EQ(quality.pca().directions(), 32);
  EXPECT_GT(quality.mean_nearest_cosine(), 0);
  EXPECT_TRUE(quality.has_stability());
}

TEST_F(FactorizationWorkTest, FeaturesAndRanksAreInTheOrderOfTheDirections) {
  ManagerRig rig(folder_.path());
  const std::string snapshot = Collect(rig, TinyCollection()).name();
  const v1::Job job = TinyFactorization(rig, [&](v1::FactorizationSpec* spec) {
    spec->mutable_directions()->clear_features();
    spec->mutable_directions()->set_snapshot(snapshot);
    spec->mutable_directions()->set_top(200);
  });
  const TensorMap tensors = FactorsOf(rig, Factorize(rig, job).name());
  const at::Tensor W_dec = GoldenTensors("tiny_transcoder.safetensors").at("W_dec");
  const at::Tensor centred = W_dec - W_dec.mean(at::IntArrayRef{1}, /*keepdim=*/true);
  const at::Tensor decoders = centred.index_select(0, tensors.at("feature")).to(at::kFloat);
  const at::Tensor cosines = (decoders * tensors.at("directions")).sum(1) / decoders.norm(2, 1);
  EXPECT_GT(cosines.min().item<double>(), 1 - 1e-5);
  EXPECT_TRUE(at::equal(std::get<0>(tensors.at("rank").sort()), at::arange(200))) << "the 200 most frequent";
}

TEST_F(FactorizationWorkTest, MetricsAreTheLossesAndTheFitUnderWay) {
  Gate gate(15);
  ManagerRig rig(folder_.path(), Gated(&gate));
  const std::string name = rig.Submit(TinyFactorization(rig)).name();
  const v1::Job job = WaitUntilDone(rig, name, 15);
  const auto& metrics = job.metrics();
  for (const char* metric : {"loss", "decoder_loss", "factor_loss", "lr", "epoch", "fit"}) {
    EXPECT_TRUE(metrics.contains(metric)) << metric;
  }
  EXPECT_EQ(metrics.at("fit"), 2);
  EXPECT_EQ(metrics.at("epoch"), 1);
  EXPECT_GT(metrics.at("loss"), 0);
  EXPECT_EQ(metrics.at("factor_loss"), 0);
  EXPECT_GT(job.progress().total(), 24) << "what is measured at the end is still to come";
  gate.Open();
  EXPECT_EQ(rig.WaitForEnd(name).state(), v1::JOB_STATE_SUCCEEDED);
}

TEST_F(FactorizationWorkTest, AJobKilledInAnyFitEndsWithTheSameFactors) {
  for (const auto [checkpoint, steps] : {std::pair{5, 8}, std::pair{7, 14}, std::pair{17, 20}}) {
    const std::string name = Crash(checkpoint, steps);
    ManagerRig rig(folder_.path());
    const v1::Job end = rig.WaitForEnd(name);
    EXPECT_EQ(end.attempt(), 3);
    ExpectAsDirectly(rig, FactorizationOf(rig, end));
  }
}

TEST_F(FactorizationWorkTest, AJobKilledAfterItsEndWasStoredMakesNoSecondOne) {
  std::string name, made;
  {
    ManagerRig rig(folder_.path());
    name = rig.Submit(TinyFactorization(rig)).name();
    made = FactorizationOf(rig, rig.WaitForEnd(name)).name();
  }
  {
    ASSERT_OK_AND_ASSIGN(const auto database, Database::Open(folder_ / "superpose.db"));
    ASSERT_OK(database->Transact([&](sqlite3* connection) {
      return Statement(connection, "UPDATE jobs SET state = 2, outcome = x'', end_time = NULL WHERE name = ?", name)
          .Run();
    }));
  }
  ManagerRig rig(folder_.path());
  EXPECT_EQ(FactorizationOf(rig, rig.WaitForEnd(name)).name(), made);
  EXPECT_EQ(rig.factorizations().List(10, "")->items.size(), 1);
}

TEST_F(FactorizationWorkTest, AStartIsMeasuredOrFittedFurther) {
  ManagerRig rig(folder_.path());
  const v1::Factorization first = Factorize(rig, TinyFactorization(rig));
  const auto from_first = [&](int epochs, std::optional<double> share) {
    return TinyFactorization(rig, [&](v1::FactorizationSpec* spec) {
      spec->clear_factors();
      spec->set_start(first.name());
      spec->set_epochs(epochs);
      if (share.has_value()) spec->set_held_out_share(*share);
    });
  };
  const v1::Factorization measured = Factorize(rig, from_first(0, 0.1));
  EXPECT_EQ(measured.steps(), 0);
  EXPECT_EQ(measured.quality().held_out().mean_error(), first.quality().held_out().mean_error());
  EXPECT_EQ(measured.quality().fitted().mean_error(), first.quality().fitted().mean_error());
  EXPECT_EQ(measured.quality().pca().fitted().mean_error(), first.quality().pca().fitted().mean_error());
  EXPECT_FALSE(measured.quality().has_stability());
  EXPECT_TRUE(at::equal(FactorsOf(rig, measured.name()).at("parameter"), FactorsOf(rig, first.name()).at("parameter")));
  const v1::Factorization further = Factorize(rig, from_first(20, 0.05));
  EXPECT_EQ(further.factors(), 40);
  EXPECT_EQ(further.held_out_decoders(), 10);
  const at::Tensor held_out = FactorsOf(rig, further.name()).at("feature").narrow(0, 190, 10);
  EXPECT_TRUE(at::isin(held_out, FactorsOf(rig, first.name()).at("feature").narrow(0, 180, 20)).all().item<bool>());
  EXPECT_LT(further.quality().fitted().mean_error(), first.quality().fitted().mean_error());
}

TEST_F(FactorizationWorkTest, AStartThatSawAllDecodersHasNoFigureOfOthers) {
  ManagerRig rig(folder_.path());
  const v1::Factorization first = Factorize(rig, TinyFactorization(rig));
  const v1::Factorization made = Factorize(rig, TinyFactorization(rig, [&](v1::FactorizationSpec* spec) {
                                             spec->clear_factors();
                                             spec->set_start(first.name());
                                             spec->set_epochs(2);
                                           }));
  EXPECT_EQ(made.decoders(), 200);
  EXPECT_EQ(made.held_out_decoders(), 0);
  EXPECT_FALSE(made.quality().has_held_out());
  EXPECT_FALSE(made.quality().pca().has_held_out());
}

// 40,000 of them would make a description that cannot be imported, and a list that is longer than a message.
TEST_F(FactorizationWorkTest, IdsAreKeptAsATensorAndNotInTheDescription) {
  ManagerRig rig(folder_.path());
  const v1::Job job = TinyFactorization(rig, [](v1::FactorizationSpec* spec) {
    spec->set_factors(5);
    v1::FeatureIds& ids = *spec->mutable_directions()->mutable_features()->mutable_ids();
    for (int feature = 90; feature > 60; --feature) ids.add_values(feature);
  });
  const v1::Factorization made = Factorize(rig, job);
  EXPECT_TRUE(made.spec().directions().features().has_ids()) << "it says that features were chosen by ids";
  EXPECT_EQ(made.spec().directions().features().ids().values_size(), 0);
  const at::Tensor features = FactorsOf(rig, made.name()).at("feature");
  EXPECT_TRUE(at::equal(std::get<0>(features.sort()), at::arange(61, 91)));
}

TEST_F(FactorizationWorkTest, OfPredictedDecodersThoseThatAreNotDefinedAreCounted) {
  ManagerRig rig(folder_.path());
  const v1::Job trained = rig.WaitForEnd(rig.Submit(TinyTraining(3)).name());
  ASSERT_OK_AND_ASSIGN(const v1::Midcoder midcoder, rig.midcoders().Get(trained.trained_midcoders().midcoders(0)));
  const v1::Snapshot snapshot = Collect(rig, TinyCollection([](auto* spec) { spec->set_tokens(128); }, {midcoder}));
  const at::Tensor counts = TensorsOf(rig, snapshot.name()).at("act_counts");
  const auto seen = counts.gt(0).sum().item<int64_t>();
  const v1::Factorization made = Factorize(rig, TinyFactorization(rig, [&](v1::FactorizationSpec* spec) {
                                             spec->mutable_directions()->Clear();
                                             spec->mutable_directions()->set_snapshot(snapshot.name());
                                             spec->mutable_directions()->set_kind(v1::DECODER_KIND_PREDICTED);
                                           }));
  EXPECT_EQ(made.decoders() + made.held_out_decoders() + made.undefined_decoders(), 256);
  EXPECT_GE(made.undefined_decoders(), 256 - seen);
  EXPECT_LT(made.undefined_decoders(), 256);
  EXPECT_EQ(made.spec().directions().transcoder(), kTinyTranscoder);
}

TEST_F(FactorizationWorkTest, WhatItNamesMayBeGoneWhenItsTurnComes) {
  const std::unique_ptr<ModelRegistry> registry = LoadTinyRegistry();
  ManagerRig rig(folder_.path(), {}, nullptr, registry.get());
  v1::Job job = TinyFactorization(rig);
  v1::Job started = job;
  started.mutable_factorize_decoders()->set_start("factorizations/gone");
  started.mutable_factorize_decoders()->set_stability_runs(0);
  EXPECT_EQ(ReasonOfJob(rig.WaitForEnd(rig.Submit(started).name())), reason::kFactorizationNotFound);
  ASSERT_OK(registry->RemoveTranscoder(kTinyTranscoder));
  EXPECT_EQ(ReasonOfJob(rig.WaitForEnd(rig.Submit(job).name())), reason::kTranscoderNotFound);
  EXPECT_THAT(rig.factorizations().List(10, "")->items, IsEmpty());
}

TEST_F(FactorizationWorkTest, CheckpointsOfAJobThatHasEndedAreGone) {
  ManagerRig rig(folder_.path());
  const v1::Factorization made = Factorize(rig, TinyFactorization(rig));
  rig.DestroyManager();
  EXPECT_FALSE(std::filesystem::exists(folder_ / made.job()));
}

}  // namespace
}  // namespace superpose
