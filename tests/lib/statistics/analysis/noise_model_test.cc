#include "lib/statistics/analysis/noise_model.h"

#include "lib/statistics/analysis/predicted_decoders.h"
#include "tests/lib/statistics/analysis/decoder_rig.h"

namespace superpose {
namespace {

using testing::ElementsAre;

class NoiseModelTest : public DeviceTest {
 protected:
  void SetUp() override {
    DeviceTest::SetUp();
    if (IsSkipped()) return;
    rig_.emplace(device());
    rig_->UseSnapshot(rig_->ExactSums());
  }
  Found Ask(const NoiseModelQuery& query) const { return AnswerOf(MakeNoiseModel(rig_->inputs(), query)); }
  // Features with so many tokens that their variances are more than rounding.
  at::Tensor Often() const { return rig_->z().gt(0).sum(0).ge(3).nonzero().squeeze(1); }

  std::optional<DecoderRig> rig_;
};
INSTANTIATE_TEST_SUITE_P(Devices, NoiseModelTest, testing::ValuesIn(kDeviceTypes), DeviceTest::Name);

TEST_P(NoiseModelTest, TheNotebooksFormulaIsTheNotebooks) {
  for (const std::string precision : {"f32", "f64"}) {
    rig_->UseSnapshot(GoldenTensors("tiny_stats_d_mlp_" + precision + ".safetensors"));
    const TensorMap golden = GoldenTensors("tiny_notebook_d_mlp_" + precision + ".safetensors");
    const at::Tensor ids = golden.at("feat_ids").index_select(0, golden.at("act_freqs_sort_idxs"));
    const Found answer = Ask({.features = Integers(ids), .formula = NoiseFormula::kNotebook, .values = true});
    EXPECT_THAT(answer.order, ElementsAre("feature", "act_mean", "act_var", "cosine", "noise_mean", "noise_var"));
    EXPECT_TRUE(SameNumbers(answer["act_mean"], golden.at("act_mean"), 1e-6));
    EXPECT_TRUE(SameNumbers(answer["act_var"], golden.at("act_var"), precision == "f32" ? 1e-5 : 1e-12));
    if (precision == "f32") {  // the only one that has them
      EXPECT_TRUE(SameNumbers(answer["noise_mean"], golden.at("noise_mean"), 2e-6));
      EXPECT_TRUE(SameNumbers(answer["noise_var"], golden.at("noise_var"), 2e-6));
    }
    // Imported snapshots have no histogram, without which there are no cosines.
    EXPECT_TRUE(answer["cosine"].isnan().all().item<bool>());
    const int64_t never = golden.at("act_mean").isnan().sum().item<int64_t>();
    ASSERT_GT(never, 0);
    EXPECT_EQ(answer.undefined, 80 + never * (2 + 2 * 128));
  }
}

TEST_P(NoiseModelTest, TheConditionalFormulaIsTheMomentsOfWhatTokensLeave) {
  for (const MidForm form : {MidForm::kDMlp, MidForm::kDModel}) {
    rig_->UseMidcoder(form);
    rig_->UseSnapshot(rig_->ExactSums());
    const at::Tensor z = rig_->z(), p = rig_->p(), W_eff = rig_->W_eff(), often = Often();
    ASSERT_GT(often.numel(), 50);
    const Found answer = Ask({.features = Integers(often), .values = true});
    for (int64_t i = 0; i < often.numel(); ++i) {
      const auto feature = often[i].item<int64_t>();
      const at::Tensor tokens = z.select(1, feature).nonzero().squeeze(1);
      const at::Tensor active = z.select(1, feature).index_select(0, tokens);
      EXPECT_NEAR(answer["act_mean"][i].item<double>(), active.mean().item<double>(), 1e-12);
      EXPECT_NEAR(answer["act_var"][i].item<double>(), active.var(/*unbiased=*/false).item<double>(), 1e-9);
      const at::Tensor noise = p.index_select(0, tokens) - active.unsqueeze(1) * W_eff[feature];
      EXPECT_TRUE(SameNumbers(answer["noise_mean"][i], noise.mean(0), 2e-6));
      EXPECT_TRUE(SameNumbers(answer["noise_var"][i], noise.var(0, /*unbiased=*/false), 2e-6));
    }
    EXPECT_EQ(answer.undefined, 0);
  }
}

TEST_P(NoiseModelTest, ItsCosineIsThatOfTheGaussianPrediction) {
  const Found predicted = AnswerOf(
      MakePredictedDecoders(rig_->inputs(), {.features = Integers(Often()), .method = PredictionMethod::kGaussian}));
  EXPECT_TRUE(SameNumbers(Ask({.features = Integers(Often())})["cosine"], predicted["cosine"], 1e-9));
}

TEST_P(NoiseModelTest, TheNotebooksCosineFollowsItsOwnMoments) {
  const Found answer = Ask({.features = Integers(Often()), .formula = NoiseFormula::kNotebook, .values = true});
  const at::Tensor z = rig_->z(), W_eff = rig_->W_eff();
  const at::Tensor mean = answer["noise_mean"].to(at::kDouble), variance = answer["noise_var"].to(at::kDouble);
  const at::Tensor often = Often();
  at::Tensor gate = at::zeros_like(mean);
  for (int64_t i = 0; i < often.numel(); ++i) {
    const at::Tensor column = z.select(1, often[i].item<int64_t>());
    const at::Tensor active = at::exp2(column.masked_select(column.gt(0)).log2().floor() + 0.5).unsqueeze(1);
    const at::Tensor pre = active * W_eff[often[i].item<int64_t>()] + mean[i];
    gate[i] = at::special_ndtr(pre / variance[i].sqrt()).mean(0).masked_fill(variance[i] < 0, 0);
  }
  const at::Tensor decoders = at::mm(gate * W_eff.index_select(0, often), rig_->W_out());
  EXPECT_TRUE(SameNumbers(answer["cosine"], Cosines(decoders, Centred(rig_->W_dec().index_select(0, often))), 1e-5));
  EXPECT_EQ(answer.undefined, variance.lt(0).sum().item<int64_t>());
}

TEST_P(NoiseModelTest, UnitsWhoseVarianceIsBelowZeroAreCountedAndTakeNoPart) {
  TensorMap tensors = rig_->ExactSums();
  const int64_t feature = rig_->z().gt(0).sum(0).argmax().item<int64_t>();
  at::Tensor squares = tensors.at("pre_relu_sq_sum_act").clone();
  squares[feature].narrow(0, 0, 5).fill_(-1e6);
  tensors["pre_relu_sq_sum_act"] = squares;
  rig_->UseSnapshot(tensors);
  const Found answer = Ask({.features = std::vector<int64_t>{feature}, .values = true});
  EXPECT_EQ(answer.undefined, 5);
  EXPECT_TRUE(answer["noise_var"][0].narrow(0, 0, 5).lt(0).all().item<bool>());
  EXPECT_TRUE(answer["cosine"].isfinite().all().item<bool>());
}

TEST_P(NoiseModelTest, FeaturesThatWereNeverActiveAreNotDefined) {
  const int64_t never = rig_->z().sum(0).argmin().item<int64_t>();
  for (const NoiseFormula formula : {NoiseFormula::kConditional, NoiseFormula::kNotebook}) {
    const Found answer = Ask({.features = std::vector<int64_t>{never}, .formula = formula});
    for (const std::string name : {"act_mean", "act_var", "cosine"}) {
      EXPECT_TRUE(answer[name].isnan().all().item<bool>()) << name;
    }
    EXPECT_EQ(answer.undefined, 3);
  }
}

TEST_P(NoiseModelTest, UnitsOfAnySizeAgree) {
  for (const NoiseFormula formula : {NoiseFormula::kConditional, NoiseFormula::kNotebook}) {
    const NoiseModelQuery query = {.formula = formula, .values = true};
    const Found whole = Ask(query);
    for (const int64_t entries : {1, 128 * 4 * 9}) {
      const Found parts = AnswerOf(MakeNoiseModel(rig_->inputs(), query, entries));
      for (const std::string& name : whole.order) EXPECT_TRUE(SameNumbers(parts[name], whole[name], 1e-6)) << name;
      EXPECT_EQ(parts.undefined, whole.undefined);
    }
  }
}

TEST_P(NoiseModelTest, SaysWhatTheSnapshotLacks) {
  const auto status = [&](NoiseFormula formula) {
    return MakeNoiseModel(rig_->inputs(), {.formula = formula}).status();
  };
  rig_->UseSnapshot(GoldenTensors("tiny_stats_d_mlp_f32.safetensors"));
  EXPECT_THAT(status(NoiseFormula::kConditional),
              IsError(absl::StatusCode::kFailedPrecondition, reason::kSnapshotTensorMissing));
  EXPECT_THAT(status(NoiseFormula::kConditional), MessageHas("PRE_ACTIVATIONS"));
  TensorMap tensors = rig_->ExactSums();
  tensors.erase("pre_relu_cov_sum");
  rig_->UseSnapshot(tensors);
  EXPECT_EQ(ReasonOf(status(NoiseFormula::kNotebook)), reason::kSnapshotTensorMissing);
  EXPECT_OK(status(NoiseFormula::kConditional));
  rig_->DropMidcoder();
  EXPECT_EQ(ReasonOf(status(NoiseFormula::kConditional)), reason::kSnapshotTensorMissing);
}

}  // namespace
}  // namespace superpose
