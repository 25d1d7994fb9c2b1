#include "lib/midcoder/midcoder.h"

#include <cmath>
#include <limits>

#include "tests/lib/midcoder/golden.h"
#include "tests/status_matchers.h"

namespace superpose {
namespace {

constexpr int64_t kLayer = 1;

class MidcoderTest : public testing::Test {
 protected:
  void SetUp() override {
    model_ = GoldenModel();
    transcoder_ = GoldenTranscoder();
    ASSERT_TRUE(model_ && transcoder_);
    ASSERT_OK_AND_ASSIGN(const MlpTensors mlp, model_->RunToMlp(GoldenTokens().narrow(0, 0, 8), kLayer));
    ASSERT_OK_AND_ASSIGN(activations_, transcoder_->Encode(mlp.x_hat.flatten(0, 1)));
  }

  TensorMap Trained() const { return WithoutPrefix(GoldenTensors("tiny_mid_d_mlp_f32.safetensors"), "after_50."); }
  absl::StatusOr<Midcoder> FromTensors(const TensorMap& tensors, MidForm form = MidForm::kDMlp) const {
    return Midcoder::FromTensors(form, MidGate::kRelu, kLayer, *model_, transcoder_->d_sae(), tensors);
  }

  std::shared_ptr<const Model> model_;
  std::shared_ptr<const Transcoder> transcoder_;
  SparseActivations activations_;
};

TEST_F(MidcoderTest, ApplyEqualsTheGoldenForward) {
  for (MidForm form : {MidForm::kDMlp, MidForm::kDModel}) {
    const TensorMap golden =
        GoldenTensors(form == MidForm::kDMlp ? "tiny_mid_d_mlp_f32.safetensors" : "tiny_mid_d_model_f32.safetensors");
    ASSERT_OK_AND_ASSIGN(const Midcoder midcoder, FromTensors(WithoutPrefix(golden, "after_50."), form));
    const MidcoderOutput output = midcoder.Apply(*model_, activations_);
    EXPECT_LT(RelativeError(output.mid, golden.at("final_forward_batch0.mid").flatten(0, 1)), 3e-6);
    EXPECT_LT(RelativeError(output.mlp_out, golden.at("final_forward_batch0.mlp_out").flatten(0, 1)), 3e-6);
    const at::Tensor gate = golden.at("final_forward_batch0.gate").flatten(0, 1).to(at::kBool);
    EXPECT_LE((output.mid.gt(0) ^ gate).sum().item<int64_t>(), 2);
  }
}

TEST_F(MidcoderTest, ModelGateIsTheModelsActivationFunction) {
  const TensorMap tensors = Trained();
  const Midcoder midcoder(MidForm::kDMlp, MidGate::kModel, kLayer,
                          {tensors.at("W_mid"), tensors.at("b_mid"), tensors.at("b_mid_out")});
  const MidcoderOutput output = midcoder.Apply(*model_, activations_);
  const at::Tensor mid = output.mid.to(at::kDouble);  // the golden model has gelu_new
  const at::Tensor hidden = 0.5 * mid * (1 + at::tanh(std::sqrt(2 / M_PI) * (mid + 0.044715 * mid.pow(3))));
  const at::Tensor expected =
      hidden.mm(model_->layer_tensor(kLayer, "W_out").to(at::kDouble)) + tensors.at("b_mid_out").to(at::kDouble);
  EXPECT_LT(RelativeError(output.mlp_out, expected), 1e-6);
}

TEST_F(MidcoderTest, ZeroGivesZero) {
  const Midcoder zero = Midcoder::Zero(MidForm::kDMlp, MidGate::kRelu, kLayer, *model_, transcoder_->d_sae());
  const MidcoderOutput output = zero.Apply(*model_, activations_);
  EXPECT_EQ(output.mid.abs().max().item<float>(), 0);
  EXPECT_EQ(output.mlp_out.abs().max().item<float>(), 0);
  EXPECT_EQ(output.mlp_out.size(0), activations_.rows());
}

TEST_F(MidcoderTest, TensorsSurviveARoundTrip) {
  ASSERT_OK_AND_ASSIGN(const Midcoder midcoder, FromTensors(Trained()));
  for (const auto& [name, tensor] : midcoder.tensors()) EXPECT_TRUE(at::equal(tensor, Trained().at(name))) << name;
  EXPECT_EQ(midcoder.tensors().size(), 3);
}

TEST_F(MidcoderTest, FloatTensorsOfOtherPrecisionAreTaken) {
  TensorMap tensors = Trained();
  for (auto& [name, tensor] : tensors) tensor = tensor.to(at::kDouble);
  ASSERT_OK_AND_ASSIGN(const Midcoder midcoder, FromTensors(tensors));
  EXPECT_TRUE(at::equal(midcoder.parameters().W_mid, Trained().at("W_mid")));
}

TEST_F(MidcoderTest, WrongTensorsAreRefused) {
  TensorMap missing = Trained();
  missing.erase("b_mid");
  EXPECT_THAT(FromTensors(missing), IsError(absl::StatusCode::kInvalidArgument, reason::kTensorMissing));
  EXPECT_THAT(FromTensors(Trained(), MidForm::kDModel),
              IsError(absl::StatusCode::kInvalidArgument, reason::kTensorShapeMismatch));
  TensorMap integers = Trained();
  integers["b_mid"] = integers["b_mid"].to(at::kInt);
  EXPECT_THAT(FromTensors(integers), IsError(absl::StatusCode::kInvalidArgument, reason::kTensorShapeMismatch));
  TensorMap not_finite = Trained();
  not_finite["b_mid_out"] = at::full_like(not_finite["b_mid_out"], std::numeric_limits<float>::infinity());
  EXPECT_THAT(FromTensors(not_finite), IsError(absl::StatusCode::kInvalidArgument, reason::kTensorNotFinite));
  TensorMap overflow = Trained();
  overflow["b_mid"] = at::full({128}, 1e300, at::kDouble);
  EXPECT_THAT(FromTensors(overflow), IsError(absl::StatusCode::kInvalidArgument, reason::kTensorNotFinite));
}

TEST_F(MidcoderTest, ALayerThatTheModelLacksIsRefused) {
  EXPECT_THAT(Midcoder::FromTensors(MidForm::kDMlp, MidGate::kRelu, 3, *model_, 256, Trained()),
              IsError(absl::StatusCode::kInvalidArgument, reason::kLayerOutOfRange));
}

}  // namespace
}  // namespace superpose
