#include "lib/midcoder/layer_trainer.h"

#include <cmath>

#include "tests/lib/midcoder/golden.h"
#include "tests/status_matchers.h"
#include "tests/support/devices.h"

namespace superpose {
namespace {

constexpr int64_t kLayer = 1;
constexpr double kMseOutParam = 0.7;

struct Case {
  MidForm form;
  MidGate gate;
};

class LayerTrainerTest : public testing::TestWithParam<std::tuple<Case, at::DeviceType>> {
 protected:
  MidForm form() const { return std::get<0>(GetParam()).form; }
  MidGate gate() const { return std::get<0>(GetParam()).gate; }
  at::DeviceType device() const { return std::get<1>(GetParam()); }

  void SetUp() override {
    if (IsMissing(device())) GTEST_SKIP() << "no such device here";
    at::manual_seed(3);
    model_ = GoldenModel(device());
    transcoder_ = GoldenTranscoder(device());
    ASSERT_TRUE(model_ && transcoder_);
    ASSERT_OK_AND_ASSIGN(const MlpTensors mlp, model_->RunToMlp(GoldenTokens().narrow(0, 0, 4), kLayer));
    rows_ = {mlp.x_hat.flatten(0, 1), mlp.pre.flatten(0, 1), mlp.out.flatten(0, 1)};
    ASSERT_OK_AND_ASSIGN(activations_, transcoder_->Encode(rows_.x_hat));
  }

  MidcoderParameters RandomParameters() const {
    const int64_t width = form() == MidForm::kDMlp ? model_->config().d_mlp : model_->config().d_model;
    const auto random = [&](at::IntArrayRef shape) { return at::randn(shape).mul_(0.3).to(device()); };
    return {random({transcoder_->d_sae(), width}), random({width}), random({model_->config().d_model})};
  }

  // The gradients of one step, which after the first update are exp_avg / (1 - beta1).
  TensorMap Gradients(const MidcoderParameters& parameters, int64_t rows_per_tile) const {
    const MidcoderParameters own{parameters.W_mid.clone(), parameters.b_mid.clone(), parameters.b_mid_out.clone()};
    LayerTrainer trainer(model_, transcoder_, Midcoder(form(), gate(), kLayer, own), kMseOutParam);
    const int64_t rows = activations_.rows();
    at::Tensor grad_rows = at::empty({rows, trainer.mid_width()}, device());
    trainer.BeginStep(rows);
    for (int64_t begin = 0; begin < rows; begin += rows_per_tile) {
      const int64_t count = std::min(rows_per_tile, rows - begin);
      const auto tile = [&](const at::Tensor& tensor) { return tensor.narrow(0, begin, count); };
      trainer.RunTile(SliceRows(activations_, begin, begin + count),
                      {tile(rows_.x_hat), tile(rows_.pre), tile(rows_.out)}, tile(grad_rows));
    }
    trainer.PrepareUpdate(activations_);
    trainer.UpdateFeatures(grad_rows, 0, transcoder_->d_sae(), {.beta1 = 0});
    trainer.UpdateBiases({.beta1 = 0});
    const TensorMap state = trainer.StateTensors();
    return {{"W_mid", state.at("W_mid.exp_avg").cpu()},
            {"b_mid", state.at("b_mid.exp_avg").cpu()},
            {"b_mid_out", state.at("b_mid_out.exp_avg").cpu()}};
  }

  // The loss written out in float64 on dense activations, on the CPU.
  double Loss(const at::Tensor& W_mid, const at::Tensor& b_mid, const at::Tensor& b_mid_out) const {
    at::Tensor z = at::zeros({activations_.rows(), activations_.d_sae}, at::kDouble);
    z.index_put_(
        {at::repeat_interleave(activations_.row_splits.cpu().diff()), activations_.feature_ids.cpu().to(at::kLong)},
        Wide(activations_.values));
    const auto weight = [&](const char* name) { return Wide(model_->layer_tensor(kLayer, name)); };
    at::Tensor mid = z.mm(W_mid) + b_mid;
    if (form() == MidForm::kDModel) mid = mid.mm(weight("W_in")) + weight("b_in");
    const at::Tensor gelu = 0.5 * mid * (1 + at::tanh(std::sqrt(2 / M_PI) * (mid + 0.044715 * mid.pow(3))));
    const at::Tensor hidden = gate() == MidGate::kRelu ? mid * mid.gt(0) : gelu;
    const at::Tensor out = hidden.mm(weight("W_out")) + b_mid_out;
    return ((mid - rows_.pre.cpu()).square().mean() + kMseOutParam * (out - rows_.out.cpu()).square().mean())
        .item<double>();
  }
  static at::Tensor Wide(const at::Tensor& tensor) { return tensor.cpu().to(at::kDouble); }

  std::shared_ptr<const Model> model_;
  std::shared_ptr<const Transcoder> transcoder_;
  MlpRows rows_;
  SparseActivations activations_;
};
INSTANTIATE_TEST_SUITE_P(
    FormsGatesAndDevices, LayerTrainerTest,
    testing::Combine(testing::Values(Case{MidForm::kDMlp, MidGate::kRelu}, Case{MidForm::kDMlp, MidGate::kModel},
                                     Case{MidForm::kDModel, MidGate::kRelu}, Case{MidForm::kDModel, MidGate::kModel}),
                     testing::ValuesIn(kDeviceTypes)));

TEST_P(LayerTrainerTest, GradientEqualsFiniteDifferences) {
  const MidcoderParameters parameters = RandomParameters();
  const TensorMap gradients = Gradients(parameters, activations_.rows());
  TensorMap point{
      {"W_mid", Wide(parameters.W_mid)}, {"b_mid", Wide(parameters.b_mid)}, {"b_mid_out", Wide(parameters.b_mid_out)}};
  const auto loss = [&] { return Loss(point["W_mid"], point["b_mid"], point["b_mid_out"]); };
  for (const auto& [name, gradient] : gradients) {
    const at::Tensor wide = gradient.to(at::kDouble);
    for (int trial = 0; trial < 3; ++trial) {
      // Along the gradient's own signs the derivative is as large as can be; random flips look at different sums of it.
      const at::Tensor direction = trial == 0 ? wide.sign() : wide.sign() * at::rand_like(wide);
      constexpr double kStep = 1e-6;
      const at::Tensor start = point[name];
      point[name] = start + kStep * direction;
      const double above = loss();
      point[name] = start - kStep * direction;
      const double below = loss();
      point[name] = start;
      const double expected = (above - below) / (2 * kStep), actual = (wide * direction).sum().item<double>();
      EXPECT_NEAR(actual, expected, 2e-5 * std::abs(expected)) << name;
    }
  }
}

TEST_P(LayerTrainerTest, TilesAddUpToTheWhole) {
  const MidcoderParameters parameters = RandomParameters();
  const TensorMap whole = Gradients(parameters, activations_.rows());
  const TensorMap tiled = Gradients(parameters, 37);
  for (const auto& [name, gradient] : whole) EXPECT_LT(RelativeError(tiled.at(name), gradient), 1e-6) << name;
}

TEST_P(LayerTrainerTest, LossesAreThoseOfTheDefinition) {
  const MidcoderParameters parameters = RandomParameters();
  LayerTrainer trainer(model_, transcoder_, Midcoder(form(), gate(), kLayer, parameters), kMseOutParam);
  trainer.BeginStep(activations_.rows());
  trainer.RunTile(activations_, rows_, at::empty({activations_.rows(), trainer.mid_width()}, device()));
  const LayerLosses losses = trainer.Losses();
  const double expected = Loss(Wide(parameters.W_mid), Wide(parameters.b_mid), Wide(parameters.b_mid_out));
  EXPECT_NEAR(losses.mse_mid + kMseOutParam * losses.mse_out, expected, 1e-6 * expected);
  ASSERT_OK_AND_ASSIGN(const at::Tensor decoded, transcoder_->Decode(activations_, rows_.x_hat));
  const double transcoder = (decoded - rows_.out).to(at::kDouble).square().mean().item<double>();
  EXPECT_NEAR(losses.mse_out_transcoder, transcoder, 1e-6 * transcoder);
}

}  // namespace
}  // namespace superpose
