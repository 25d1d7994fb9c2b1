#include "tests/bench/step_rows.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "lib/midcoder/layer_trainer.h"
#include "lib/midcoder/trainer.h"

namespace superpose {
namespace {

constexpr int64_t kRowsPerTile = MidcoderTrainer::kRowsPerTile;
// At the first step all gates are shut; the second shows what they do.
constexpr int kComparedSteps = 2;
// W_mid of 12 layers is compared at one feature in so many.
constexpr int64_t kComparedFeatureShare = 16;

at::Tensor AsTensor(const LayerLosses& losses) { return at::tensor({losses.mse_mid, losses.mse_out}, at::kDouble); }

// Forward and backward of all rows, tile by tile.
void RunTiles(LayerTrainer& trainer, const RowSlices& activations, const MlpRows& targets,
              const at::Tensor& gradients) {
  const int64_t rows = targets.x_hat.size(0);
  trainer.BeginStep(rows);
  for (int64_t row = 0; row < rows; row += kRowsPerTile) {
    const int64_t count = std::min(kRowsPerTile, rows - row);
    const auto tile = [&](const at::Tensor& tensor) { return tensor.narrow(0, row, count); };
    trainer.RunTile(activations.Slice(row, row + count), {tile(targets.x_hat), tile(targets.pre), tile(targets.out)},
                    tile(gradients));
  }
}

// One midcoder's step from MLP inputs on: encode, forward, exact gradient, AdamW.
class Step : public BenchRow {
 public:
  Step(const BenchInputs& inputs, MidForm form) : inputs_(inputs), form_(form) { StartAnew(); }

  Repetition Run() override {
    return {SecondsOf([&] { RunStep(); })};
  }
  TensorMap Result() override {
    StartAnew();
    std::vector<at::Tensor> losses;
    for (int step = 0; step < kComparedSteps; ++step) {
      RunStep();
      losses.push_back(AsTensor(trainer_->Losses()));
    }
    TensorMap result = trainer_->midcoder().tensors();
    result["losses"] = at::stack(losses);
    return result;
  }

 private:
  void StartAnew() {
    trainer_.reset();
    Midcoder zero = Midcoder::Zero(form_, MidGate::kRelu, inputs_.layer, *inputs_.model, inputs_.transcoder->d_sae());
    trainer_.emplace(inputs_.model, inputs_.transcoder, std::move(zero), 1.0);
    gradients_ = at::empty({inputs_.rows.x_hat.size(0), trainer_->mid_width()});
    steps_ = 0;
  }
  void RunStep() {
    const RowSlices activations(Must(inputs_.transcoder->Encode(inputs_.rows.x_hat)));
    RunTiles(*trainer_, activations, inputs_.rows, gradients_);
    trainer_->PrepareUpdate(activations.activations());
    const AdamWSettings settings{.step = ++steps_};
    trainer_->UpdateFeatures(gradients_, 0, inputs_.transcoder->d_sae(), settings);
    trainer_->UpdateBiases(settings);
  }

  const BenchInputs& inputs_;
  const MidForm form_;
  std::optional<LayerTrainer> trainer_;
  at::Tensor gradients_;
  int64_t steps_ = 0;
};

// What of a step goes through W_in and W_out, forward and back, with losses: form d_model at tokens without an active
// feature, at which nothing sparse is left.
class StepDenseParts : public BenchRow {
 public:
  explicit StepDenseParts(const BenchInputs& inputs)
      : inputs_(inputs),
        biases_(RandomBiases(inputs)),
        none_(NoActivations(inputs.rows.x_hat.size(0))),
        trainer_(inputs.model, inputs.transcoder, Midcoder(MidForm::kDModel, MidGate::kRelu, inputs.layer, biases_),
                 1.0),
        gradients_(at::empty_like(inputs.rows.x_hat)) {}

  Repetition Run() override {
    return {SecondsOf([&] { RunTiles(trainer_, none_, inputs_.rows, gradients_); })};
  }
  TensorMap Inputs() override { return {{"b_mid", biases_.b_mid}, {"b_mid_out", biases_.b_mid_out}}; }
  TensorMap Result() override {
    Run();
    return {{"gradients", gradients_}, {"losses", AsTensor(trainer_.Losses())}};
  }

 private:
  static MidcoderParameters RandomBiases(const BenchInputs& inputs) {
    const int64_t d_model = inputs.model->config().d_model;
    at::manual_seed(1);
    return {at::zeros({inputs.transcoder->d_sae(), d_model}), at::randn({d_model}), at::randn({d_model})};
  }
  RowSlices NoActivations(int64_t rows) const {
    return RowSlices(
        {at::zeros({rows + 1}, at::kLong), at::empty({0}, at::kInt), at::empty({0}), inputs_.transcoder->d_sae()});
  }

  const BenchInputs& inputs_;
  const MidcoderParameters biases_;
  const RowSlices none_;
  LayerTrainer trainer_;
  at::Tensor gradients_;
};

// A step of a training job, the model included.
class Iteration : public BenchRow {
 public:
  Iteration(const BenchInputs& inputs, MidForm form, std::vector<std::shared_ptr<const Transcoder>> transcoders)
      : inputs_(inputs), form_(form), transcoders_(std::move(transcoders)) {
    StartAnew();
  }

  Repetition Run() override {
    return {SecondsOf([&] { trainer_->Step(); })};
  }
  TensorMap Result() override {
    StartAnew();
    for (int step = 0; step < kComparedSteps; ++step) trainer_->Step();
    const MidcoderTrainer& trainer = trainer_->trainer();
    std::vector<at::Tensor> losses;
    for (const StepLoss& loss : trainer.HistorySince(0)) {
      losses.push_back(at::tensor({loss.mse_mid, loss.mse_out}, at::kDouble));
    }
    TensorMap result{{"losses", at::stack(losses)}};
    for (int64_t index = 0; index < trainer.midcoders(); ++index) {
      const Midcoder& midcoder = trainer.midcoder(index);
      const at::Tensor& W_mid = midcoder.parameters().W_mid;
      result[absl::StrCat("layer", midcoder.layer(), ".W_mid")] =
          transcoders_.size() == 1 ? W_mid : W_mid.slice(0, 0, W_mid.size(0), kComparedFeatureShare);
    }
    return result;
  }

 private:
  void StartAnew() {
    trainer_.reset();
    TrainerConfig config;
    config.form = form_;
    config.order = SequenceOrder::kSequential;
    trainer_.emplace(inputs_, std::move(config), transcoders_);
  }

  const BenchInputs& inputs_;
  const MidForm form_;
  const std::vector<std::shared_ptr<const Transcoder>> transcoders_;
  std::optional<StepwiseTrainer> trainer_;
};

}  // namespace

void AddStepRows(RowMakers& makers) {
  makers["step_d_mlp"] = [](const BenchInputs& inputs) { return std::make_unique<Step>(inputs, MidForm::kDMlp); };
  makers["step_d_model"] = [](const BenchInputs& inputs) { return std::make_unique<Step>(inputs, MidForm::kDModel); };
  makers["step_dense_parts"] = Makes<StepDenseParts>();
  makers["iteration"] = [](const BenchInputs& inputs) {
    return std::make_unique<Iteration>(inputs, MidForm::kDMlp, std::vector{inputs.transcoder});
  };
  makers["iteration_12_layers"] = [](const BenchInputs& inputs) {
    return std::make_unique<Iteration>(inputs, MidForm::kDModel, LoadAllTranscoders(inputs));
  };
}

}  // namespace superpose
