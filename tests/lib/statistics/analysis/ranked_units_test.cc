#include "lib/statistics/analysis/ranked_units.h"

#include "tests/lib/statistics/analysis/decoder_rig.h"

namespace superpose {
namespace {

using testing::ElementsAre;

class RankedUnitsTest : public DeviceTest {
 protected:
  void SetUp() override {
    DeviceTest::SetUp();
    if (IsSkipped()) return;
    rig_.emplace(device());
    rig_->UseSnapshot(rig_->ExactSums());
  }
  Found Ask(const RankedUnitsQuery& query) const { return AnswerOf(MakeRankedUnits(rig_->inputs(), query)); }
  // P(g | z>0), [256, 128]; NaN for features that were never active.
  at::Tensor GateProbability() const {
    const at::Tensor active = rig_->z().gt(0).to(at::kDouble);
    return at::mm(active.t(), rig_->gate()) / active.sum(0).unsqueeze(1);
  }

  std::optional<DecoderRig> rig_;
};
INSTANTIATE_TEST_SUITE_P(Devices, RankedUnitsTest, testing::ValuesIn(kDeviceTypes), DeviceTest::Name);

// `w_eff` and `probability` are one feature's, or one unit's.
void ExpectRanked(const Found& answer, const std::string& name, const at::Tensor& w_eff,
                  const at::Tensor& probability) {
  EXPECT_THAT(answer.order, ElementsAre(name, "weight", "w_eff", "gate_probability"));
  const at::Tensor weight = w_eff.abs() * probability, defined = weight.masked_select(weight.isfinite());
  const int64_t k = answer[name].numel();
  EXPECT_TRUE(SameNumbers(answer["weight"], std::get<0>(defined.sort(0, /*descending=*/true)).narrow(0, 0, k), 2e-6));
  EXPECT_TRUE(SameNumbers(answer["weight"], weight.index_select(0, answer[name]), 2e-6));
  EXPECT_TRUE(SameNumbers(answer["w_eff"], w_eff.index_select(0, answer[name]), 2e-6));
  EXPECT_TRUE(SameNumbers(answer["gate_probability"], probability.index_select(0, answer[name]), 1e-12));
  const double ratio = (defined.sum().square() / defined.square().sum()).item<double>();
  EXPECT_NEAR(answer.figures.at("participation_ratio"), ratio, 1e-5 * ratio);
  EXPECT_EQ(answer.undefined, weight.isnan().sum().item<int64_t>());
}

TEST_P(RankedUnitsTest, BothDirectionsAreTheirFormulaInBothForms) {
  for (const MidForm form : {MidForm::kDMlp, MidForm::kDModel}) {
    rig_->UseMidcoder(form);
    rig_->UseSnapshot(rig_->ExactSums());
    const at::Tensor W_eff = rig_->W_eff(), probability = GateProbability();
    const int64_t feature = rig_->z().gt(0).sum(0).argmax().item<int64_t>();
    const Found units = Ask({.feature = feature});
    EXPECT_EQ(units["unit"].numel(), 20);
    ExpectRanked(units, "unit", W_eff[feature], probability[feature]);
    const int64_t unit = rig_->gate().sum(0).argmax().item<int64_t>();
    const Found features = Ask({.unit = unit, .k = 33});
    EXPECT_EQ(features["feature"].numel(), 33);
    ExpectRanked(features, "feature", W_eff.select(1, unit), probability.select(1, unit));
    EXPECT_GT(features.undefined, 0);
  }
}

TEST_P(RankedUnitsTest, KIsAtMostWhatThereIs) {
  const at::Tensor probability = GateProbability();
  const int64_t never = probability.select(1, 0).isnan().sum().item<int64_t>();
  EXPECT_EQ(Ask({.feature = rig_->z().gt(0).sum(0).argmax().item<int64_t>(), .k = 1 << 30})["unit"].numel(), 128);
  EXPECT_EQ(Ask({.unit = 0, .k = 1 << 30})["feature"].numel(), 256 - never);
}

TEST_P(RankedUnitsTest, AFeatureThatWasNeverActiveHasNone) {
  const Found answer = Ask({.feature = rig_->z().sum(0).argmin().item<int64_t>()});
  EXPECT_EQ(answer["unit"].numel(), 0);
  EXPECT_EQ(answer.undefined, 128);
  EXPECT_TRUE(answer.figures.empty());
}

TEST_P(RankedUnitsTest, OfASnapshotOfSomeFeaturesEachIsThereOnceAndFound) {
  TensorMap golden = GoldenTensors("tiny_stats_d_mlp_f32.safetensors");
  rig_->UseSnapshot(golden);
  const at::Tensor ids = golden.at("feat_ids").to(at::kLong);
  const at::Tensor probability = golden.at("gate_act_counts").select(1, 9) / golden.at("act_counts");
  const Found answer = Ask({.unit = 9, .k = 256});
  for (int64_t i = 0; i < answer["feature"].numel(); ++i) {
    const int64_t row = ids.eq(answer["feature"][i]).nonzero()[0].item<int64_t>();
    EXPECT_NEAR(answer["gate_probability"][i].item<double>(), probability[row].item<double>(), 1e-6);
  }
  EXPECT_EQ(answer["feature"].numel() + answer.undefined, 65);
  const int64_t row = golden.at("act_counts").argmax().item<int64_t>();
  const Found units = Ask({.feature = ids[row].item<int64_t>(), .k = 1});
  const at::Tensor weight = rig_->W_eff()[ids[row].item<int64_t>()].abs() *
                            golden.at("gate_act_counts")[row].to(at::kDouble) / golden.at("act_counts")[row];
  EXPECT_NEAR(units["weight"][0].item<double>(), weight.max().item<double>(), 1e-6);
}

TEST_P(RankedUnitsTest, UnitsOfAnySizeAgree) {
  const RankedUnitsQuery query = {.unit = 17, .k = 50};
  const Found whole = Ask(query);
  for (const int64_t entries : {1, 1024 * 5}) {
    const Found parts = AnswerOf(MakeRankedUnits(rig_->inputs(), query, entries));
    EXPECT_TRUE(at::equal(parts["feature"], whole["feature"]));
    EXPECT_TRUE(SameNumbers(parts["weight"], whole["weight"], 1e-6));
  }
}

TEST_P(RankedUnitsTest, WrongQuestionsAreRefused) {
  const auto reason = [&](const RankedUnitsQuery& query) {
    return ReasonOf(MakeRankedUnits(rig_->inputs(), query).status());
  };
  EXPECT_EQ(reason({}), reason::kConfigInvalid);
  EXPECT_EQ(reason({.feature = 1, .unit = 1}), reason::kConfigInvalid);
  EXPECT_EQ(reason({.feature = 1, .k = 0}), reason::kConfigInvalid);
  EXPECT_EQ(reason({.unit = 128}), reason::kConfigInvalid);
  EXPECT_EQ(reason({.unit = -1}), reason::kConfigInvalid);
  EXPECT_THAT(MakeRankedUnits(rig_->inputs(), {.unit = 128}).status(), MessageHas("0 .. 127"));
  EXPECT_EQ(reason({.feature = 256}), reason::kFeatureOutOfRange);
  TensorMap tensors = rig_->ExactSums();
  tensors.erase("gate_act_counts");
  rig_->UseSnapshot(tensors);
  EXPECT_EQ(reason({.feature = 1}), reason::kSnapshotTensorMissing);
  rig_->DropMidcoder();
  EXPECT_EQ(reason({.unit = 1}), reason::kSnapshotTensorMissing);
}

}  // namespace
}  // namespace superpose
