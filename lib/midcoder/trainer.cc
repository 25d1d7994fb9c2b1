#include "lib/midcoder/trainer.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "lib/base/torch_guard.h"
#include "lib/tensor_io/all_finite.h"

namespace superpose {
namespace {

// On the CPU, about 50 ms of work. A GPU is done with all features in less, and would wait for the host between blocks.
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

// Rows are counted in 32 bits (TransposedActivations).
absl::Status CheckRows(int64_t batch_size, int64_t length) {
  constexpr int64_t kMostRows = std::numeric_limits<int32_t>::max();
  if (batch_size <= kMostRows / length) return absl::OkStatus();
  return InvalidArgument(reason::kConfigInvalid, "batch_size is ", batch_size, "; with sequences of ", length,
                         " tokens it must be at most ", kMostRows / length);
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
  return CheckRows(config.batch_size, inputs.sequences->length());
}

std::vector<uint64_t> SeedsOf(const std::vector<TrainerVariant>& variants) {
  std::vector<uint64_t> seeds;
  for (const TrainerVariant& variant : variants) {
    if (std::find(seeds.begin(), seeds.end(), variant.seed) == seeds.end()) seeds.push_back(variant.seed);
  }
  return seeds;
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
      variants_(VariantsOf(config_)),
      seeds_(SeedsOf(variants_)) {
  const Model& model = *inputs_.model;
  const auto options = at::TensorOptions(model.device()).dtype(at::kFloat);
  const int64_t d_model = model.config().d_model, d_mlp = model.config().d_mlp;
  for (size_t i = 0; i < config_.layers.size(); ++i) {
    for (const TrainerVariant& variant : variants_) {
      Midcoder zero =
          Midcoder::Zero(config_.form, config_.gate, config_.layers[i], model, inputs_.transcoders[i]->d_sae());
      trained_.emplace_back(inputs_.model, inputs_.transcoders[i], std::move(zero), variant.mse_out_param);
    }
    targets_.push_back({at::empty({rows_, d_model}, options), at::empty({rows_, d_mlp}, options),
                        at::empty({rows_, d_model}, options)});
  }
  for (const uint64_t seed : seeds_) samplers_.emplace_back(inputs_.sequences->count(), config_.order, seed);
  gradients_ = at::empty({rows_, trained_[0].mid_width()}, options);
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
      return UpdateFeatureBlock();
  }
  return absl::OkStatus();
}

absl::Status MidcoderTrainer::StartStep() {
  seed_index_ = 0;
  return StartSeed();
}

absl::Status MidcoderTrainer::StartSeed() {
  phase_ = Phase::kPrefix;
  const at::Tensor tokens = inputs_.sequences->Gather(samplers_[seed_index_].Next(config_.batch_size));
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
  if (!encoder_) encoder_.emplace(transcoder(), targets().x_hat);
  encoder_->EncodeNextTile();
  if (!encoder_->done()) return;
  activations_ = RowSlices(encoder_->Take());
  encoder_.reset();
  GoToVariantOfSeed(0);
}

// Begins with the first variant from `first` on that takes the seed in turn; false when there is none.
bool MidcoderTrainer::GoToVariantOfSeed(int64_t first) {
  variant_index_ = first;
  while (variant_index_ < variants() && variant().seed != seeds_[seed_index_]) ++variant_index_;
  if (variant_index_ == variants()) return false;
  trained().BeginStep(rows_);
  row_ = 0;
  phase_ = Phase::kTile;
  return true;
}

absl::Status MidcoderTrainer::RunRowTile() {
  const int64_t count = std::min(kRowsPerTile, rows_ - row_);
  const auto rows = [&](const at::Tensor& tensor) { return tensor.narrow(0, row_, count); };
  const MlpRows tile{rows(targets().x_hat), rows(targets().pre), rows(targets().out)};
  trained().RunTile(activations_.Slice(row_, row_ + count), tile, rows(gradients_));
  row_ += count;
  return row_ < rows_ ? absl::OkStatus() : FinishForward();
}

absl::Status MidcoderTrainer::FinishForward() {
  const LayerLosses losses = trained().Losses();
  const StepLoss record{.step = step_ + 1,
                        .layer = config_.layers[layer_index_],
                        .variant = variant_index_,
                        .lr = LearningRate(config_, variant().lr, step_),
                        .loss = losses.mse_mid + variant().mse_out_param * losses.mse_out,
                        .mse_mid = losses.mse_mid,
                        .mse_out = losses.mse_out,
                        .mse_out_transcoder = losses.mse_out_transcoder};
  if (!std::isfinite(record.loss)) {
    return FailedPrecondition(reason::kTrainingDiverged, "the loss of layer ", record.layer, " at step ", record.step,
                              " is ", record.loss, "; a lower lr than ", variant().lr, " may help");
  }
  history_.push_back(record);
  trained().PrepareUpdate(activations_.activations());
  feature_ = 0;
  phase_ = Phase::kUpdate;
  return absl::OkStatus();
}

AdamWSettings MidcoderTrainer::Optimizer() const {
  return {.lr = LearningRate(config_, variant().lr, step_),
          .weight_decay = variant().weight_decay,
          .eps = config_.adam_eps,
          .step = step_ + 1};
}

absl::Status MidcoderTrainer::UpdateFeatureBlock() {
  const int64_t d_sae = transcoder().d_sae();
  const int64_t block = inputs_.model->device().is_cpu() ? kFeaturesPerBlock : d_sae;
  const int64_t end = std::min(feature_ + block, d_sae);
  trained().UpdateFeatures(gradients_, feature_, end, Optimizer());
  feature_ = end;
  return feature_ < d_sae ? absl::OkStatus() : FinishVariant();
}

absl::Status MidcoderTrainer::FinishVariant() {
  trained().UpdateBiases(Optimizer());
  if (GoToVariantOfSeed(variant_index_ + 1)) return absl::OkStatus();
  if (++layer_index_ < static_cast<int64_t>(config_.layers.size())) {
    phase_ = Phase::kEncode;
    return absl::OkStatus();
  }
  if (++seed_index_ < static_cast<int64_t>(seeds_.size())) return StartSeed();
  ++step_;
  phase_ = Phase::kStart;
  return step_ < config_.steps ? absl::OkStatus() : CheckFinite();
}

absl::Status MidcoderTrainer::CheckFinite() const {
  return CatchTorch([&] {
    for (int64_t index = 0; index < midcoders(); ++index) {
      for (const auto& [name, tensor] : midcoder(index).tensors()) {
        if (AllFinite(tensor)) continue;
        return FailedPrecondition(reason::kTrainingDiverged, name, " of layer ", midcoder(index).layer(),
                                  " holds values that are NaN or infinite after step ", step_, "; a lower lr than ",
                                  variants_[index % variants()].lr, " may help");
      }
    }
    return absl::OkStatus();
  });
}

std::vector<StepLoss> MidcoderTrainer::HistorySince(int64_t step) const {
  const auto first =
      std::partition_point(history_.begin(), history_.end(), [&](const StepLoss& loss) { return loss.step <= step; });
  return {first, history_.end()};
}

void MidcoderTrainer::ForgetHistoryUpTo(int64_t step) {
  std::erase_if(history_, [&](const StepLoss& loss) { return loss.step <= step; });
}

}  // namespace superpose
