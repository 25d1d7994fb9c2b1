#include "server/jobs/factorization_specs.h"

#include <ATen/ATen.h>

#include <cmath>
#include <optional>

#include "server/runtime/reasons.h"
#include "tests/server/jobs/factorization_rig.h"

namespace superpose {
namespace {

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;

class FactorizationSpecsTest : public testing::Test {
 protected:
  void SetUp() override { ASSERT_NE(TinyRegistry(), nullptr); }

  absl::StatusOr<v1::FactorizationSpec> Resolve(const std::function<void(v1::FactorizationSpec* spec)>& change) {
    return ResolveFactorizationSpec(SourcesOf(rig_), TinyFactorizationSpec(change));
  }
  // One with 9 factors of this width, that was fitted on features 0 .. 9 but for those from `held_out` on.
  std::string KeepFactors(int64_t width, int64_t held_out = 10) {
    v1::Factorization facts;
    facts.set_factors(9);
    facts.set_width(width);
    facts.set_decoders(held_out);
    facts.set_held_out_decoders(10 - held_out);
    const at::Tensor ones = at::ones({9, width});
    return Keep(facts, {{"factors", ones}, {"parameter", ones}, {"directions", ones}, {"feature", at::arange(10)}});
  }
  std::string Keep(const v1::Factorization& facts, const TensorMap& tensors) {
    const auto kept = rig_.factorizations().Add(facts, tensors, absl::UnixEpoch());
    EXPECT_OK(kept);
    return kept->name();
  }

  TemporaryFolder folder_;
  ManagerRig rig_{folder_.path()};
};

v1::FactorizationSpec OnlyDirections() {
  v1::FactorizationSpec spec;
  spec.mutable_directions()->set_transcoder("models/tiny/layers/1");
  return spec;
}

TEST_F(FactorizationSpecsTest, EveryDefaultIsFilledIn) {
  ASSERT_OK_AND_ASSIGN(const v1::FactorizationSpec spec, ResolveFactorizationSpec(SourcesOf(rig_), OnlyDirections()));
  EXPECT_EQ(spec.directions().transcoder(), kTinyTranscoder);
  EXPECT_EQ(spec.directions().kind(), v1::DECODER_KIND_REAL);
  EXPECT_EQ(spec.form(), v1::FACTORIZATION_FORM_TOPK);
  EXPECT_EQ(spec.factors(), 115) << "half of the 231 of 256 that are fitted";
  EXPECT_EQ(spec.codes(), 5);
  EXPECT_EQ(spec.theta(), 0.3);
  EXPECT_EQ(spec.factor_param(), 0);
  EXPECT_EQ(spec.epochs(), 100);
  EXPECT_EQ(spec.batch_size(), 23) << "a tenth of them";
  EXPECT_EQ(spec.lr(), 1e-2);
  EXPECT_EQ(spec.weight_decay(), 0);
  EXPECT_EQ(spec.adam_eps(), 1e-8);
  EXPECT_EQ(spec.schedule(), v1::FACTORIZATION_SCHEDULE_COSINE);
  EXPECT_TRUE(spec.has_seed());
  EXPECT_EQ(spec.held_out_share(), 0.1);
  EXPECT_EQ(spec.stability_runs(), 1);
  EXPECT_EQ(spec.duplicate_cosine(), 0.95);
  ASSERT_OK_AND_ASSIGN(const v1::FactorizationSpec again, ResolveFactorizationSpec(SourcesOf(rig_), spec));
  EXPECT_EQ(again.SerializeAsString(), spec.SerializeAsString()) << "what is resolved stays as it is";
}

TEST_F(FactorizationSpecsTest, FormGramHasDefaultsOfItsOwn) {
  v1::FactorizationSpec spec = OnlyDirections();
  spec.set_form(v1::FACTORIZATION_FORM_GRAM);
  ASSERT_OK_AND_ASSIGN(spec, ResolveFactorizationSpec(SourcesOf(rig_), spec));
  EXPECT_EQ(spec.factor_param(), 0.5);
  EXPECT_EQ(spec.lr(), 1e-3);
  EXPECT_FALSE(spec.has_codes());
}

TEST_F(FactorizationSpecsTest, FewFactorsMakeFewerCodes) {
  ASSERT_OK_AND_ASSIGN(const v1::FactorizationSpec spec, Resolve([](auto* s) {
                         s->set_factors(2);
                         s->clear_codes();
                       }));
  EXPECT_EQ(spec.codes(), 2);
}

TEST_F(FactorizationSpecsTest, WhatIsGivenReachesTheRun) {
  v1::FactorizationSpec spec = TinyFactorizationSpec([](v1::FactorizationSpec* s) {
    s->set_form(v1::FACTORIZATION_FORM_GRAM);
    s->set_schedule(v1::FACTORIZATION_SCHEDULE_REFERENCE);
    s->set_theta(0.4);
    s->set_factor_param(0.25);
    s->set_lr(0.5);
    s->set_weight_decay(0.125);
    s->set_adam_eps(1e-6);
    s->set_seed(77);
    s->set_held_out_share(0.25);
    s->set_stability_runs(3);
    s->set_duplicate_cosine(0.75);
  });
  ASSERT_OK_AND_ASSIGN(spec, ResolveFactorizationSpec(SourcesOf(rig_), spec));
  const FactorizationRunConfig config = FactorizationRunConfigOf(spec);
  EXPECT_EQ(config.factorizer.form, FactorForm::kGram);
  EXPECT_EQ(config.factorizer.schedule, FactorSchedule::kReference);
  EXPECT_EQ(config.factorizer.factors, 40);
  EXPECT_EQ(config.factorizer.epochs, 4);
  EXPECT_EQ(config.factorizer.batch_size, 60);
  EXPECT_EQ(config.factorizer.theta, 0.4);
  EXPECT_EQ(config.factorizer.factor_param, 0.25);
  EXPECT_EQ(config.factorizer.lr, 0.5);
  EXPECT_EQ(config.factorizer.weight_decay, 0.125);
  EXPECT_EQ(config.factorizer.adam_eps, 1e-6);
  EXPECT_EQ(config.factorizer.seed, 77);
  EXPECT_EQ(config.held_out_share, 0.25);
  EXPECT_EQ(config.stability_runs, 3);
  EXPECT_EQ(config.duplicate_cosine, 0.75);
}

TEST_F(FactorizationSpecsTest, WrongValuesAreToldByTheirField) {
  using Change = std::function<void(v1::FactorizationSpec * spec)>;
  const std::vector<std::pair<std::string, Change>> wrong = {
      {"factors", [](auto* s) { s->set_factors(0); }},
      {"factors", [](auto* s) { s->set_factors(-5); }},
      {"codes", [](auto* s) { s->set_codes(41); }},
      {"codes", [](auto* s) { s->set_codes(0); }},
      {"theta", [](auto* s) { s->set_theta(0); }},
      {"theta", [](auto* s) { s->set_theta(std::nan("")); }},
      {"epochs", [](auto* s) { s->set_epochs(0); }},
      {"batch_size", [](auto* s) { s->set_batch_size(0); }},
      {"lr", [](auto* s) { s->set_lr(0); }},
      {"factor_param", [](auto* s) { s->set_factor_param(-1); }},
      {"weight_decay", [](auto* s) { s->set_weight_decay(-1); }},
      {"adam_eps", [](auto* s) { s->set_adam_eps(0); }},
      {"held_out_share", [](auto* s) { s->set_held_out_share(1); }},
      {"held_out_share", [](auto* s) { s->set_held_out_share(std::nan("")); }},
      {"held_out_share", [](auto* s) { s->set_held_out_share(1e300); }},
      {"stability_runs", [](auto* s) { s->set_stability_runs(11); }},
      {"duplicate_cosine", [](auto* s) { s->set_duplicate_cosine(0); }},
      {"form", [](auto* s) { s->set_form(static_cast<v1::FactorizationForm>(9)); }},
      {"schedule", [](auto* s) { s->set_schedule(static_cast<v1::FactorizationSchedule>(-1)); }},
      {"factorizations/f", [](auto* s) {
         s->mutable_directions()->Clear();
         s->mutable_directions()->set_factorization("factorizations/f");
       }}};
  for (const auto& [field, change] : wrong) {
    const auto resolved = Resolve(change);
    EXPECT_THAT(resolved, IsError(kInvalid, reason::kConfigInvalid)) << field;
    EXPECT_THAT(resolved, MessageHas(field));
  }
}

TEST_F(FactorizationSpecsTest, DirectionsMustChooseTwoOrMore) {
  const auto with = [&](int features) {
    return Resolve(
        [features](auto* s) { s->mutable_directions()->mutable_features()->mutable_range()->set_stop(features); });
  };
  EXPECT_THAT(with(1), IsError(absl::StatusCode::kFailedPrecondition, reason::kEmptySelection));
  EXPECT_OK(with(2));
  EXPECT_THAT(Resolve([](auto* s) { s->mutable_directions()->set_transcoder("models/tiny/layers/0"); }),
              IsError(absl::StatusCode::kNotFound, reason::kTranscoderNotFound));
}

TEST_F(FactorizationSpecsTest, AStartDecidesTheFactorsAndHasNoOtherSeeds) {
  const std::string start = KeepFactors(32);
  const auto with = [&](const std::function<void(v1::FactorizationSpec * spec)>& change) {
    return Resolve([&](v1::FactorizationSpec* s) {
      s->clear_factors();
      s->set_start(start);
      if (change) change(s);
    });
  };
  ASSERT_OK_AND_ASSIGN(const v1::FactorizationSpec spec, with(nullptr));
  EXPECT_EQ(spec.factors(), 9);
  EXPECT_EQ(spec.stability_runs(), 0);
  EXPECT_OK(with([](auto* s) { s->set_epochs(0); }));
  EXPECT_OK(with([](auto* s) { s->set_factors(9); }));
  EXPECT_THAT(with([](auto* s) { s->set_factors(8); }), IsError(kInvalid, reason::kConfigInvalid));
  EXPECT_THAT(with([](auto* s) { s->set_stability_runs(1); }), MessageHas("stability_runs"));
  EXPECT_THAT(with([&](auto* s) { s->set_start(KeepFactors(31)); }), IsError(kInvalid, reason::kTensorShapeMismatch));
  EXPECT_THAT(with([](auto* s) { s->set_start("factorizations/gone"); }),
              IsError(absl::StatusCode::kNotFound, reason::kFactorizationNotFound));
  EXPECT_THAT(with([](auto* s) { s->set_start("snapshots/a"); }), IsError(kInvalid, reason::kNameInvalid));
}

// Of decoders that the start was fitted on, figures would not be of decoders held out.
TEST_F(FactorizationSpecsTest, WithAStartNoneAreHeldOutButThoseThatItHeldOut) {
  const std::string start = KeepFactors(32, /*held_out=*/7);
  const auto with = [&](const std::string& name, std::optional<double> share, int first) {
    return Resolve([&](v1::FactorizationSpec* s) {
      s->clear_factors();
      s->clear_batch_size();
      s->set_start(name);
      s->mutable_directions()->mutable_features()->mutable_range()->set_start(first);
      if (share.has_value()) s->set_held_out_share(*share);
    });
  };
  ASSERT_OK_AND_ASSIGN(const v1::FactorizationSpec spec, with(start, std::nullopt, 0));
  EXPECT_EQ(spec.held_out_share(), 0);
  EXPECT_EQ(EstimateFactorizationJob(SourcesOf(rig_), spec)->held_out_decoders, 0);
  ASSERT_OK_AND_ASSIGN(const v1::FactorizationSpec shared, with(start, 0.1, 8));
  EXPECT_EQ(EstimateFactorizationJob(SourcesOf(rig_), shared)->held_out_decoders, 2) << "8 and 9";
  EXPECT_EQ(shared.batch_size(), 19) << "a tenth of the others";
  EXPECT_TRUE(at::equal(MayHoldOut(SourcesOf(rig_), shared, at::arange(5, 200)).value(), at::tensor({2, 3, 4})));
  EXPECT_FALSE(MayHoldOut(SourcesOf(rig_), spec, at::arange(200))->defined());
  EXPECT_THAT(with(start, 0.1, 10), IsError(kInvalid, reason::kConfigInvalid)) << "it may have seen others before";
  EXPECT_THAT(with(KeepFactors(32), 0.1, 0), MessageHas("none of the 200 decoders was held out"));
  v1::Factorization imported;
  imported.set_factors(9);
  imported.set_width(32);
  const std::string bare = Keep(imported, {{"factors", at::ones({9, 32})}, {"parameter", at::ones({9, 32})}});
  EXPECT_OK(with(bare, std::nullopt, 0));
  EXPECT_OK(with(bare, 0, 0));
  const auto refused = with(bare, 0.1, 0);
  EXPECT_THAT(refused, IsError(kInvalid, reason::kConfigInvalid));
  EXPECT_THAT(refused, MessageHas("held_out_share"));
}

TEST_F(FactorizationSpecsTest, AFeatureThatIsNamedTwiceIsRefused) {
  const auto refused = Resolve([](v1::FactorizationSpec* s) {
    for (const int feature : {9, 3, 17, 3})
      s->mutable_directions()->mutable_features()->mutable_ids()->add_values(feature);
  });
  EXPECT_THAT(refused, IsError(kInvalid, reason::kConfigInvalid));
  EXPECT_THAT(refused, MessageHas("feature 3 twice"));
}

TEST_F(FactorizationSpecsTest, LabelsAreFewAndShort) {
  const auto with = [&](int count, size_t bytes) {
    return Resolve([&](v1::FactorizationSpec* s) {
      for (int i = 0; i < count; ++i) (*s->mutable_labels())[absl::StrCat(i)] = std::string(bytes, 'x');
    });
  };
  EXPECT_OK(with(64, 100));
  EXPECT_THAT(with(65, 1), IsError(kInvalid, reason::kConfigInvalid));
  EXPECT_OK(with(1, 8191));
  EXPECT_THAT(with(1, 8192), IsError(kInvalid, reason::kConfigInvalid));
}

TEST_F(FactorizationSpecsTest, AnEstimateTellsHowManyAreFittedAndGrowsWithTheFactors) {
  const auto estimate = [&](int factors) {
    const auto spec = Resolve([factors](auto* s) { s->set_factors(factors); });
    return EstimateFactorizationJob(SourcesOf(rig_), *spec).value();
  };
  EXPECT_EQ(estimate(40).decoders, 180);
  EXPECT_EQ(estimate(40).held_out_decoders, 20);
  EXPECT_GT(estimate(40).memory.checkpoint_bytes, 3 * 40 * 32 * 4);
  EXPECT_GT(estimate(100'000).memory.peak_bytes, 5 * 100'000 * 32 * 4);
  EXPECT_GT(estimate(100'000).memory.peak_bytes, estimate(1000).memory.peak_bytes);
}

TEST_F(FactorizationSpecsTest, WhatWouldFitIsFewerFactors) {
  ASSERT_OK_AND_ASSIGN(v1::FactorizationSpec spec, Resolve([](auto* s) { s->set_factors(1'000'000); }));
  const std::string advice = FactorizationThatFits(SourcesOf(rig_), spec, int64_t{64} << 20);
  ASSERT_TRUE(absl::StartsWith(advice, "factors ")) << advice;
  int factors = 0;
  ASSERT_TRUE(absl::SimpleAtoi(advice.substr(8, advice.find(' ', 8) - 8), &factors)) << advice;
  spec.set_factors(factors);
  EXPECT_LE(EstimateFactorizationJob(SourcesOf(rig_), spec)->memory.peak_bytes, int64_t{64} << 20);
  spec.set_factors(factors + 1);
  EXPECT_GT(EstimateFactorizationJob(SourcesOf(rig_), spec)->memory.peak_bytes, int64_t{64} << 20);
  EXPECT_THAT(FactorizationThatFits(SourcesOf(rig_), spec, 1000), testing::HasSubstr("already"));
}

TEST_F(FactorizationSpecsTest, DecodersWithoutADirectionAreTold) {
  ASSERT_OK_AND_ASSIGN(const v1::FactorizationSpec spec, Resolve(nullptr));
  EXPECT_OK(CheckFactorizationDirections(SourcesOf(rig_), spec));
  v1::FactorizationSpec gone = spec;
  gone.mutable_directions()->set_transcoder("models/tiny/transcoders/gone");
  EXPECT_THAT(CheckFactorizationDirections(SourcesOf(rig_), gone),
              IsError(absl::StatusCode::kNotFound, reason::kTranscoderNotFound));
}

}  // namespace
}  // namespace superpose
