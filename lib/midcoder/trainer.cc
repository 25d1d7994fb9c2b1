#include "lib/midcoder/trainer.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "lib/base/torch_guard.h"

namespace superpose {
namespace {

// Constants, so that numbers never depend on the budget.
constexpr int64_t kRowsPerTile = 512;
constexpr int64_t kFeaturesPerBlock = 1024;

absl::Status CheckTranscoder(const Model& model, const Transcoder& transcoder, int64_t layer) {
  SUPERPOSE_RETURN_IF_ERROR(model.CheckLayer(layer));
  if (transcoder.d_model() != model.config().d_model) {
    return InvalidArgument(reason::kTranscoderMismatch, "the transcoder for layer ", layer, " has d_model ",
                           transcoder.d_model(), ", the model ", model.config().d_model,
                           "; give one that was trained on this model");
  }
  if (transcoder.tensor("W_dec").device() != model.device()) {
    return InvalidArgument(reason::kTranscoderMismatch, "the transcoder for layer ", layer, " is on ",
                           transcoder.tensor("W_dec").device().str(), ", the model on ", model.device().str(),
                           "; load both on one device");
  }
  return absl::OkStatus();
}

absl::Status CheckInputs(const TrainerInputs& inputs, const TrainerConfig& config) {
  if (inputs.transcoders.size() != config.layers.size()) {
    return InvalidArgument(reason::kTranscoderMismatch, config.layers.size(), " layers but ", inputs.transcoders.size(),
                           " transcoders; give one transcoder for each layer");
  }
  for (size_t i = 0; i < config.layers.size(); ++i) {
    SUPERPOSE_RETURN_IF_ERROR(CheckTranscoder(*inputs.model, *inputs.transcoders[i], config.layers[i]));
  }
  if (inputs.sequences->count() < 1 || inputs.sequences->length() < 1) {
    return InvalidArgument(reason::kCorpusTooSmall, "the corpus has no sequence to train on");
  }
  if (inputs.sequences->length() > inputs.model->config().n_positions) {
    return InvalidArgument(reason::kContextExceeded, "sequences have ", inputs.sequences->length(),
                           " tokens; the model takes at most ", inputs.model->config().n_positions);
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<MidcoderTrainer>> MidcoderTrainer::Create(TrainerInputs inputs, TrainerConfig config) {
  SUPERPOSE_RETURN_IF_ERROR(ValidateTrainerConfig(config));
  SUPERPOSE_RETURN_IF_ERROR(CheckInputs(inputs, config));
  return CatchTorch([&]() -> absl::StatusOr<std::unique_ptr<MidcoderTrainer>> {
    return std::unique_ptr<MidcoderTrainer>(new MidcoderTrainer(std::move(inputs), std::move(config)));
  });
}

MidcoderTrainer::MidcoderTrainer(TrainerInputs inputs, TrainerConfig config)
    : inputs_(std::move(inputs)),
      config_(std::move(config)),
      length_(inputs_.sequences->length()),
      rows_(config_.batch_size * length_),
      last_layer_(*std::max_element(config_.layers.begin(), config_.layers.end())),
      sampler_(inputs_.sequences->count(), config_.order, config_.seed) {
  const Model& model = *inputs_.model;
  const auto options = at::TensorOptions(model.device()).dtype(at::kFloat);
  const int64_t d_model = model.config().d_model, d_mlp = model.config().d_mlp;
  for (size_t i = 0; i < config_.layers.size(); ++i) {
    Midcoder zero =
        Midcoder::Zero(config_.form, config_.gate, config_.layers[i], model, inputs_.transcoders[i]->d_sae());
    layers_.emplace_back(inputs_.model, inputs_.transcoders[i], std::move(zero), config_.mse_out_param);
    targets_.push_back({at::empty({rows_, d_model}, options), at::empty({rows_, d_mlp}, options),
                        at::empty({rows_, d_model}, options)});
  }
  gradients_ = at::empty({rows_, layers_[0].mid_width()}, options);
}

absl::StatusOr<bool> MidcoderTrainer::RunSlice(const Budget& budget) {
  SUPERPOSE_RETURN_IF_ERROR(failure_);
  while (step_ < config_.steps) {
    failure_ = CatchTorch([&] { return RunUnit(); });
    SUPERPOSE_RETURN_IF_ERROR(failure_);
    if (budget.Exhausted()) break;
  }
  return step_ == config_.steps;
}

absl::Status MidcoderTrainer::RunUnit() {
  if (phase_ == Phase::kStart) SUPERPOSE_RETURN_IF_ERROR(StartStep());
  switch (phase_) {
    case Phase::kStart:
    case Phase::kPrefix:
      RunPrefixBlock();
      return absl::OkStatus();
    case Phase::kEncode:
      EncodeTile();
      return absl::OkStatus();
    case Phase::kTile:
      return RunRowTile();
    case Phase::kUpdate:
      UpdateFeatureBlock();
      return absl::OkStatus();
  }
  return absl::OkStatus();
}

absl::Status MidcoderTrainer::StartStep() {
  phase_ = Phase::kPrefix;
  const at::Tensor tokens = inputs_.sequences->Gather(sampler_.Next(config_.batch_size));
  SUPERPOSE_RETURN_IF_ERROR(inputs_.model->CheckTokens(tokens));
  tokens_ = tokens.to(inputs_.model->device());
  sequence_ = 0;
  layer_index_ = 0;
  return absl::OkStatus();
}

void MidcoderTrainer::RunPrefixBlock() {
  const int64_t count = std::min(SequencesPerChunk(length_), config_.batch_size - sequence_);
  if (!walk_) walk_.emplace(*inputs_.model, tokens_.narrow(0, sequence_, count));
  const int64_t layer = walk_->next_layer();
  KeepMlp(layer, walk_->RunBlock());
  if (layer < last_layer_) return;
  walk_.reset();
  sequence_ += count;
  if (sequence_ == config_.batch_size) phase_ = Phase::kEncode;
}

void MidcoderTrainer::KeepMlp(int64_t layer, const MlpTensors& mlp) {
  const auto found = std::find(config_.layers.begin(), config_.layers.end(), layer);
  if (found == config_.layers.end()) return;
  const MlpRows& rows = targets_[found - config_.layers.begin()];
  const int64_t begin = sequence_ * length_;
  const auto keep = [&](const at::Tensor& from, const at::Tensor& to) {
    to.narrow(0, begin, from.size(0) * length_).copy_(from.flatten(0, 1));
  };
  keep(mlp.x_hat, rows.x_hat);
  keep(mlp.pre, rows.pre);
  keep(mlp.out, rows.out);
}

void MidcoderTrainer::EncodeTile() {
  if (!encoder_) encoder_.emplace(layer().transcoder(), targets().x_hat);
  encoder_->EncodeNextTile();
  if (!encoder_->done()) return;
  activations_ = encoder_->Take();
  encoder_.reset();
  layer().BeginStep(rows_);
  row_ = 0;
  phase_ = Phase::kTile;
}

absl::Status MidcoderTrainer::RunRowTile() {
  const int64_t count = std::min(kRowsPerTile, rows_ - row_);
  const auto rows = [&](const at::Tensor& tensor) { return tensor.narrow(0, row_, count); };
  const MlpRows tile{rows(targets().x_hat), rows(targets().pre), rows(targets().out)};
  layer().RunTile(SliceRows(activations_, row_, row_ + count), tile, rows(gradients_));
  row_ += count;
  return row_ < rows_ ? absl::OkStatus() : FinishForward();
}

absl::Status MidcoderTrainer::FinishForward() {
  const LayerLosses losses = layer().Losses();
  const StepLoss record{.step = step_ + 1,
                        .layer = config_.layers[layer_index_],
                        .lr = LearningRate(config_, step_),
                        .loss = losses.mse_mid + config_.mse_out_param * losses.mse_out,
                        .mse_mid = losses.mse_mid,
                        .mse_out = losses.mse_out,
                        .mse_out_transcoder = losses.mse_out_transcoder};
  if (!std::isfinite(record.loss)) {
    return FailedPrecondition(reason::kTrainingDiverged, "the loss of layer ", record.layer, " at step ", record.step,
                              " is ", record.loss, "; a lower lr than ", config_.lr, " may help");
  }
  history_.push_back(record);
  layer().PrepareUpdate(activations_);
  feature_ = 0;
  phase_ = Phase::kUpdate;
  return absl::OkStatus();
}

AdamWSettings MidcoderTrainer::Optimizer() const {
  return {.lr = LearningRate(config_, step_),
          .weight_decay = config_.weight_decay,
          .eps = config_.adam_eps,
          .step = step_ + 1};
}

void MidcoderTrainer::UpdateFeatureBlock() {
  const int64_t d_sae = layer().transcoder().d_sae();
  const int64_t end = std::min(feature_ + kFeaturesPerBlock, d_sae);
  layer().UpdateFeatures(gradients_, feature_, end, Optimizer());
  feature_ = end;
  if (feature_ == d_sae) FinishLayer();
}

void MidcoderTrainer::FinishLayer() {
  layer().UpdateBiases(Optimizer());
  ++layer_index_;
  if (layer_index_ < static_cast<int64_t>(layers_.size())) {
    phase_ = Phase::kEncode;
    return;
  }
  ++step_;
  phase_ = Phase::kStart;
}

std::vector<StepLoss> MidcoderTrainer::HistorySince(int64_t step) const {
  const auto first =
      std::partition_point(history_.begin(), history_.end(), [&](const StepLoss& loss) { return loss.step <= step; });
  return {first, history_.end()};
}

}  // namespace superpose
