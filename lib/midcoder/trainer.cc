#include "lib/midcoder/trainer.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "lib/base/torch_guard.h"
#include "lib/midcoder/input_checks.h"
#include "lib/tensor_io/all_finite.h"

namespace superpose {
namespace {

// On the CPU, about 50 ms of work. A GPU is done with all features in less, and would wait for the host between blocks.
constexpr int64_t kFeaturesPerBlock = 1024;

static_assert(LayerStatistics::kMostRows % MidcoderTrainer::kRowsPerTile == 0, "a block of statistics is whole tiles");

absl::Status CheckInputs(const TrainerInputs& inputs, const TrainerConfig& config) {
  if (inputs.transcoders.size() != config.layers.size()) {
    return InvalidArgument(reason::kTranscoderMismatch, config.layers.size(), " layers but ", inputs.transcoders.size(),
                           " transcoders; give one transcoder for each layer");
  }
  for (size_t i = 0; i < config.layers.size(); ++i) {
    SUPERPOSE_RETURN_IF_ERROR(CheckLayerInputs(*inputs.model, *inputs.transcoders[i], config.layers[i]));
  }
  if (inputs.sequences->count() < 1 || inputs.sequences->length() < 1) {
    return InvalidArgument(reason::kCorpusTooSmall, "the corpus has no sequence to train on");
  }
  return CheckBatch(*inputs.model, config.batch_size, inputs.sequences->length());
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
    std::unique_ptr<StepStatistics> statistics;
    if (config.statistics) {
      const int64_t rows = config.batch_size * inputs.sequences->length();
      SUPERPOSE_ASSIGN_OR_RETURN(statistics, StepStatistics::Create(*inputs.model, inputs.transcoders, config, rows));
    }
    return std::unique_ptr<MidcoderTrainer>(
        new MidcoderTrainer(std::move(inputs), std::move(config), std::move(statistics)));
  });
}

MidcoderTrainer::MidcoderTrainer(TrainerInputs inputs, TrainerConfig config, std::unique_ptr<StepStatistics> statistics)
    : inputs_(std::move(inputs)),
      config_(std::move(config)),
      length_(inputs_.sequences->length()),
      rows_(config_.batch_size * length_),
      last_layer_(*std::max_element(config_.layers.begin(), config_.layers.end())),
      variants_(VariantsOf(config_)),
      seeds_(SeedsOf(variants_)),
      statistics_(std::move(statistics)),
      walk_(*inputs_.model) {
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
    case Phase::kStatistics:
      return RunStatistics();
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
  if (statistics_) statistics_->BeginStep(tokens_);
  sequence_ = 0;
  layer_index_ = 0;
  return absl::OkStatus();
}

void MidcoderTrainer::RunPrefixBlock() {
  const int64_t count = std::min(SequencesPerChunk(length_), config_.batch_size - sequence_);
  if (!walk_.running()) walk_.Start(tokens_.narrow(0, sequence_, count));
  const int64_t layer = walk_.next_layer();
  walk_.RunBlock(TargetsOf(layer, count));
  if (layer < last_layer_) return;
  walk_.Stop();
  sequence_ += count;
  if (sequence_ == config_.batch_size) phase_ = Phase::kEncode;
}

// Where the tensors around the layer's MLP belong, for the next `count` sequences; undefined when none are wanted.
MlpTensors MidcoderTrainer::TargetsOf(int64_t layer, int64_t count) const {
  const auto found = std::find(config_.layers.begin(), config_.layers.end(), layer);
  if (found == config_.layers.end()) return {};
  const MlpRows& rows = targets_[found - config_.layers.begin()];
  const auto part = [&](const at::Tensor& tensor) {
    return tensor.narrow(0, sequence_ * length_, count * length_).view({count, length_, -1});
  };
  return {{}, part(rows.x_hat), part(rows.pre), part(rows.out)};
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
  const at::Tensor kept_mid = statistics_ ? statistics_->mid(row_, count) : at::Tensor();
  trained().RunTile(activations_.Slice(row_, row_ + count), tile, rows(gradients_), kept_mid);
  row_ += count;
  if (!statistics_ || !statistics_->IsBlockEnd(row_)) return AfterTile();
  statistics_->Begin(layer_index_, activations_, targets(), row_);
  phase_ = Phase::kStatistics;
  return absl::OkStatus();
}

absl::Status MidcoderTrainer::RunStatistics() {
  statistics_->RunUnit();
  return statistics_->idle() ? AfterTile() : absl::OkStatus();
}

absl::Status MidcoderTrainer::AfterTile() {
  phase_ = Phase::kTile;
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
