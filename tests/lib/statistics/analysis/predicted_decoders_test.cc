#include "lib/statistics/analysis/predicted_decoders.h"

#include "tests/lib/statistics/analysis/decoder_rig.h"

namespace superpose {
namespace {

using testing::ElementsAre;

class PredictedDecodersTest : public DeviceTest {
 protected:
  void SetUp() override {
    DeviceTest::SetUp();
    if (IsSkipped()) return;
    rig_.emplace(device());
    rig_->UseSnapshot(rig_->ExactSums());
  }
  Found Ask(const PredictedDecodersQuery& query) const {
    return AnswerOf(MakePredictedDecoders(rig_->inputs(), query));
  }

  std::optional<DecoderRig> rig_;
};
INSTANTIATE_TEST_SUITE_P(Devices, PredictedDecodersTest, testing::ValuesIn(kDeviceTypes), DeviceTest::Name);

// The notebook does not centre W_dec, whose mean over d_model is not quite 0 here. Predicted decoders have none, so
// that its cosines become ours with the lengths of both.
at::Tensor CentredCosines(const at::Tensor& cosines, const at::Tensor& decoders) {
  const at::Tensor rows = decoders.to(at::kDouble);
  return cosines.to(at::kDouble) * rows.norm(2, at::IntArrayRef{1}) / Centred(rows).norm(2, at::IntArrayRef{1});
}

TEST_P(PredictedDecodersTest, AreTheNotebooks) {
  for (const std::string precision : {"f32", "f64"}) {
    rig_->UseSnapshot(GoldenTensors("tiny_stats_d_mlp_" + precision + ".safetensors"));
    const TensorMap golden = GoldenTensors("tiny_notebook_d_mlp_" + precision + ".safetensors");
    const at::Tensor kept = golden.at("sparsity_mask").nonzero().squeeze(1);
    const at::Tensor ids = golden.at("feat_ids").index_select(0, kept);
    const Found answer = Ask({.features = Integers(ids), .vectors = true});
    EXPECT_THAT(answer.order, ElementsAre("feature", "cosine", "norm_ratio", "log10_frequency", "predicted", "real"));
    EXPECT_TRUE(at::equal(answer["feature"], ids.to(at::kLong)));
    EXPECT_TRUE(SameNumbers(answer["predicted"], golden.at("pred_decoder"), 2e-6));
    const at::Tensor decoder = golden.at("decoder").to(at::kDouble);
    EXPECT_TRUE(SameNumbers(answer["real"], Centred(decoder), 1e-6));
    EXPECT_TRUE(SameNumbers(answer["cosine"], CentredCosines(golden.at("cos_sims"), decoder), 3e-6));
    EXPECT_TRUE(SameNumbers(answer["log10_frequency"], golden.at("freq").log10(), 1e-6));
    EXPECT_EQ(answer.undefined, 0);

    const at::Tensor sorted = golden.at("sort_idxs_by_sparsity");
    const Found by_frequency = Ask({.features = Integers(ids.index_select(0, sorted))});
    EXPECT_TRUE(SameNumbers(by_frequency["cosine"],
                            CentredCosines(golden.at("cos_sims_sorted"), decoder.index_select(0, sorted)), 3e-6));
  }
}

TEST_P(PredictedDecodersTest, UnitVectorsOfBandsAreTheNotebooks) {
  rig_->UseSnapshot(GoldenTensors("tiny_stats_d_mlp_f64.safetensors"));
  const TensorMap golden = GoldenTensors("tiny_notebook_d_mlp_f64.safetensors");
  const at::Tensor kept = golden.at("feat_ids").masked_select(golden.at("sparsity_mask").to(at::kBool));
  for (const std::string band : {"band_high_gt_-2", "band_med_-3_-2.5", "band_lowcos_lt_0.7"}) {
    const at::Tensor ids = kept.masked_select(golden.at(band + "_mask").to(at::kBool));
    const at::Tensor wanted = golden.at(band + "_dec_unit");
    const Found answer = Ask({.features = Integers(ids.narrow(0, 0, wanted.size(0))), .vectors = true, .unit = true});
    EXPECT_TRUE(SameNumbers(answer["predicted"], golden.at(band + "_pred_unit"), 2e-6)) << band;
    EXPECT_TRUE(SameNumbers(answer["real"], Unit(Centred(wanted)), 2e-6)) << band;
    EXPECT_TRUE(SameNumbers(answer["cosine"], CentredCosines(golden.at(band + "_sims"), wanted), 3e-6)) << band;
  }
}

// Phi of a feature and a hidden unit at the activations' bins, token by token.
at::Tensor GaussianGates(const DecoderRig& rig) {
  const at::Tensor z = rig.z(), p = rig.p(), W_eff = rig.W_eff();
  at::Tensor gates = at::full({z.size(1), p.size(1)}, kNaN, at::kDouble);
  for (int64_t feature = 0; feature < z.size(1); ++feature) {
    const at::Tensor tokens = z.select(1, feature).nonzero().squeeze(1);
    if (tokens.numel() == 0) continue;
    const at::Tensor active = z.select(1, feature).index_select(0, tokens).unsqueeze(1);
    const at::Tensor noise = p.index_select(0, tokens) - active * W_eff[feature];
    const at::Tensor binned = at::exp2(active.log2().floor() + 0.5);
    const at::Tensor deviation = noise.std(0, /*unbiased=*/false).clamp_min(1e-100);
    gates[feature] = at::special_ndtr((binned * W_eff[feature] + noise.mean(0)) / deviation).mean(0);
  }
  return gates;
}

TEST_P(PredictedDecodersTest, EveryMethodIsItsFormulaInBothForms) {
  for (const MidForm form : {MidForm::kDMlp, MidForm::kDModel}) {
    rig_->UseMidcoder(form);
    rig_->UseSnapshot(rig_->ExactSums());
    const at::Tensor z = rig_->z(), g = rig_->gate(), active = z.gt(0).to(at::kDouble);
    const at::Tensor counts = active.sum(0).unsqueeze(1);
    const at::Tensor often = counts.squeeze(1).ge(3).nonzero().squeeze(1);  // variances are more than rounding
    ASSERT_GT(often.numel(), 50);
    const std::map<PredictionMethod, at::Tensor> coefficients = {
        {PredictionMethod::kActGate, at::mm(z.t(), g) / counts},
        {PredictionMethod::kGate, at::mm(active.t(), g) / counts},
        {PredictionMethod::kLeastSquares, at::mm(z.t().square(), g) / z.square().sum(0).unsqueeze(1)},
        {PredictionMethod::kGaussian, GaussianGates(*rig_)},
        {PredictionMethod::kNoGate, at::ones_like(rig_->W_eff())}};
    for (const auto& [method, c] : coefficients) {
      const at::Tensor predicted = at::mm(c * rig_->W_eff(), rig_->W_out()).index_select(0, often);
      const at::Tensor real = Centred(rig_->W_dec()).index_select(0, often);
      const Found answer = Ask({.features = Integers(often), .method = method, .vectors = true});
      EXPECT_TRUE(SameNumbers(answer["predicted"], predicted, 3e-6)) << static_cast<int>(method);
      EXPECT_TRUE(SameNumbers(answer["cosine"], Cosines(predicted, real), 1e-5)) << static_cast<int>(method);
      const at::Tensor ratio = predicted.norm(2, at::IntArrayRef{1}) / real.norm(2, at::IntArrayRef{1});
      EXPECT_TRUE(SameNumbers(answer["norm_ratio"], ratio, 3e-6)) << static_cast<int>(method);
    }
  }
}

TEST_P(PredictedDecodersTest, FeaturesThatWereNeverActiveAreNotDefinedAndLeaveTheFiguresAlone) {
  const at::Tensor never = (rig_->z().sum(0) == 0).nonzero().squeeze(1);
  ASSERT_GT(never.numel(), 1);
  const int64_t often = rig_->z().gt(0).sum(0).argmax().item<int64_t>(), dead = never[0].item<int64_t>();
  for (const PredictionMethod method : {PredictionMethod::kActGate, PredictionMethod::kGate,
                                        PredictionMethod::kLeastSquares, PredictionMethod::kGaussian}) {
    const Found answer = Ask({.features = std::vector<int64_t>{dead, often}, .method = method, .vectors = true});
    EXPECT_TRUE(at::equal(answer["cosine"].isnan(), Flags({1, 0})));
    EXPECT_TRUE(at::equal(answer["norm_ratio"].isnan(), Flags({1, 0})));
    EXPECT_EQ(answer["log10_frequency"][0].item<double>(), -std::numeric_limits<double>::infinity());
    EXPECT_TRUE(answer["predicted"][0].isnan().all().item<bool>());
    EXPECT_EQ(answer.undefined, 2 + DecoderRig::kShape.d_model);
    EXPECT_EQ(answer.figures.at("median_cosine"), answer["cosine"][1].item<double>());
    EXPECT_EQ(answer.figures.at("mean_cosine"), answer["cosine"][1].item<double>());

    const Found alone = Ask({.features = std::vector<int64_t>{dead}, .method = method});
    EXPECT_TRUE(alone.figures.empty());
    EXPECT_EQ(alone.undefined, 2);
  }
}

TEST_P(PredictedDecodersTest, DuplicatesAndAnyOrderAreKept) {
  const Found answer = Ask({.features = std::vector<int64_t>{9, 4, 9}, .method = PredictionMethod::kNoGate});
  EXPECT_TRUE(at::equal(answer["feature"], Indices({9, 4, 9})));
  const at::Tensor cosine = answer["cosine"];
  EXPECT_EQ(cosine[0].item<double>(), cosine[2].item<double>());
  EXPECT_NE(cosine[0].item<double>(), cosine[1].item<double>());
}

TEST_P(PredictedDecodersTest, FiguresAreOfTheDefinedCosines) {
  const Found answer = Ask({});
  const at::Tensor cosine = answer["cosine"], defined = cosine.masked_select(cosine.isfinite());
  ASSERT_EQ(cosine.numel(), 256);
  ASSERT_LT(defined.numel(), 256);
  EXPECT_NEAR(answer.figures.at("mean_cosine"), defined.mean().item<double>(), 1e-12);
  EXPECT_NEAR(answer.figures.at("median_cosine"), defined.quantile(0.5).item<double>(), 1e-12);
}

TEST_P(PredictedDecodersTest, UnitsOfAnySizeAgree) {
  for (const PredictionMethod method : {PredictionMethod::kActGate, PredictionMethod::kGaussian}) {
    const PredictedDecodersQuery query = {.method = method, .vectors = true};
    const Found whole = Ask(query);
    for (const int64_t entries : {1, 128 * 7, 128 * 100}) {
      const Found parts = AnswerOf(MakePredictedDecoders(rig_->inputs(), query, entries));
      for (const std::string& name : whole.order) EXPECT_TRUE(SameNumbers(parts[name], whole[name], 1e-6)) << name;
      EXPECT_EQ(parts.undefined, whole.undefined);
    }
  }
}

class PredictedDecodersErrors : public testing::Test {
 protected:
  absl::Status Ask(const PredictedDecodersQuery& query) const {
    return MakePredictedDecoders(rig_.inputs(), query).status();
  }
  DecoderRig rig_;
};

TEST_F(PredictedDecodersErrors, SayWhatTheSnapshotLacks) {
  constexpr auto kCode = absl::StatusCode::kFailedPrecondition;
  for (const auto& [method, name] :
       std::map<PredictionMethod, std::string>{{PredictionMethod::kActGate, "act_gate_sum"},
                                               {PredictionMethod::kGate, "gate_act_counts"},
                                               {PredictionMethod::kLeastSquares, "act_sq_gate_sum"},
                                               {PredictionMethod::kGaussian, "act_log2_histogram"}}) {
    TensorMap tensors = rig_.ExactSums();
    tensors.erase(name);
    rig_.UseSnapshot(tensors);
    const absl::Status status = Ask({.method = method});
    EXPECT_THAT(status, IsError(kCode, reason::kSnapshotTensorMissing));
    EXPECT_THAT(status, MessageHas(name));
    EXPECT_OK(Ask({.method = PredictionMethod::kNoGate}));
  }
  rig_.UseSnapshot(GoldenTensors("tiny_stats_d_mlp_f32.safetensors"));
  EXPECT_THAT(Ask({.method = PredictionMethod::kGaussian}), MessageHas("FEATURES"));
  rig_.DropMidcoder();
  for (const PredictionMethod method : {PredictionMethod::kNoGate, PredictionMethod::kActGate}) {
    EXPECT_THAT(Ask({.method = method}), IsError(kCode, reason::kSnapshotTensorMissing));
    EXPECT_THAT(Ask({.method = method}), MessageHas("W_mid"));
  }
}

TEST_F(PredictedDecodersErrors, SayWhichFeaturesThereAre) {
  rig_.UseSnapshot(GoldenTensors("tiny_stats_d_mlp_f32.safetensors"));
  const at::Tensor covered = rig_.snapshot().feature_ids();
  int64_t missing = 0;
  while (covered.eq(missing).any().item<bool>()) ++missing;
  EXPECT_THAT(Ask({.features = std::vector<int64_t>{missing}}),
              IsError(absl::StatusCode::kFailedPrecondition, reason::kSnapshotTensorMissing));
  for (const int64_t feature : {int64_t{-1}, int64_t{256}, std::numeric_limits<int64_t>::max()}) {
    EXPECT_THAT(Ask({.features = std::vector<int64_t>{feature}}),
                IsError(absl::StatusCode::kInvalidArgument, reason::kFeatureOutOfRange));
  }
  EXPECT_EQ(ReasonOf(Ask({.features = std::vector<int64_t>{}})), reason::kEmptySelection);
}

}  // namespace
}  // namespace superpose
