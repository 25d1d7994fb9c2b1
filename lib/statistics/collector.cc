#include "lib/statistics/collector.h"

#include <ATen/ATen.h>

#include <numeric>
#include <utility>

#include "absl/strings/str_cat.h"
#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "lib/base/torch_guard.h"
#include "lib/midcoder/input_checks.h"
#include "lib/statistics/collector_needs.h"

namespace superpose {
namespace {

absl::Status CheckConfig(const CollectorConfig& config) {
  if (config.tokens < 1) {
    return InvalidArgument(reason::kConfigInvalid, "tokens is ", config.tokens, "; it must be 1 or more");
  }
  if (config.batch_size < 1) {
    return InvalidArgument(reason::kConfigInvalid, "batch_size is ", config.batch_size, "; it must be 1 or more");
  }
  if (config.first_sequence < 0) {
    return InvalidArgument(reason::kConfigInvalid, "first_sequence is ", config.first_sequence,
                           "; it must be 0 or more");
  }
  return absl::OkStatus();
}

absl::Status CheckLayer(const Model& model, const CollectedLayer& layer) {
  SUPERPOSE_RETURN_IF_ERROR(CheckLayerInputs(model, *layer.transcoder, layer.layer));
  if (layer.midcoder == nullptr) return absl::OkStatus();
  const int64_t features = layer.midcoder->parameters().W_mid.size(0);
  if (layer.midcoder->layer() == layer.layer && features == layer.transcoder->d_sae()) return absl::OkStatus();
  return InvalidArgument(reason::kTranscoderMismatch, "the midcoder is of layer ", layer.midcoder->layer(), " and ",
                         features, " features; the transcoder is of layer ", layer.layer, " and ",
                         layer.transcoder->d_sae(), " features");
}

absl::Status CheckInputs(const CollectorInputs& inputs, const CollectorConfig& config) {
  SUPERPOSE_RETURN_IF_ERROR(CheckConfig(config));
  if (inputs.layers.empty()) return InvalidArgument(reason::kConfigInvalid, "no layer is given; give one or more");
  for (const CollectedLayer& layer : inputs.layers) SUPERPOSE_RETURN_IF_ERROR(CheckLayer(*inputs.model, layer));
  const int64_t count = inputs.sequences->count(), length = inputs.sequences->length();
  if (config.first_sequence >= count || length < 1) {
    return InvalidArgument(reason::kCorpusTooSmall, "the corpus has ", count,
                           " sequences; first_sequence must be below that, and is ", config.first_sequence);
  }
  return CheckBatch(*inputs.model, std::min(config.batch_size, count - config.first_sequence), length);
}

absl::StatusOr<std::vector<LayerSums>> CreateAllSums(const CollectorInputs& inputs) {
  const Model& model = *inputs.model;
  std::vector<LayerSums> sums;
  for (const CollectedLayer& layer : inputs.layers) {
    const StatisticsShape shape{
        .d_sae = layer.transcoder->d_sae(), .d_mlp = model.config().d_mlp, .d_model = model.config().d_model};
    SUPERPOSE_ASSIGN_OR_RETURN(LayerSums made, CreateSums(absl::StrCat("statistics", sums.size()), shape, layer.options,
                                                          layer.midcoder != nullptr, model.device()));
    sums.push_back(std::move(made));
  }
  return sums;
}

// One after the last sequence of whole batches, but for the corpus's end.
int64_t EndOfSequences(const CollectorConfig& config, int64_t count, int64_t length) {
  const int64_t available = count - config.first_sequence, batch = std::min(config.batch_size, available);
  const int64_t batches = std::max<int64_t>(1, config.tokens / (batch * length));
  return config.first_sequence + std::min(batches * batch, available);
}

}  // namespace

absl::StatusOr<std::unique_ptr<StatisticsCollector>> StatisticsCollector::Create(CollectorInputs inputs,
                                                                                 CollectorConfig config) {
  SUPERPOSE_RETURN_IF_ERROR(CheckInputs(inputs, config));
  return CatchTorch([&]() -> absl::StatusOr<std::unique_ptr<StatisticsCollector>> {
    SUPERPOSE_ASSIGN_OR_RETURN(std::vector<LayerSums> sums, CreateAllSums(inputs));
    return std::unique_ptr<StatisticsCollector>(new StatisticsCollector(std::move(inputs), config, std::move(sums)));
  });
}

StatisticsCollector::StatisticsCollector(CollectorInputs inputs, CollectorConfig config, std::vector<LayerSums> sums)
    : inputs_(std::move(inputs)),
      config_(config),
      length_(inputs_.sequences->length()),
      end_(EndOfSequences(config_, inputs_.sequences->count(), length_)),
      sums_(std::move(sums)),
      sequence_(config_.first_sequence),
      walk_(*inputs_.model) {
  const ModelConfig& model = inputs_.model->config();
  const auto options = at::TensorOptions(inputs_.model->device()).dtype(at::kFloat);
  const int64_t most = std::min(config_.batch_size, end_ - sequence_) * length_;
  const auto rows_of = [&](bool needed, int64_t width) {
    return needed ? at::empty({most, width}, options) : at::Tensor();
  };
  for (const LayerSums& sums_of_layer : sums_) {
    const StatisticsOptions& asked = sums_of_layer.options;
    rows_.push_back({.x_hat = rows_of(true, model.d_model),
                     .pre = rows_of(NeedsPre(asked), model.d_mlp),
                     .out = rows_of(NeedsOut(asked), model.d_model)});
    if (!NeedsMid(asked, sums_of_layer.has_midcoder) || mid_.defined()) continue;
    mid_ = at::empty({std::min(most, LayerStatistics::kMostRows), model.d_mlp}, options);
  }
  for (const CollectedLayer& layer : inputs_.layers) last_layer_ = std::max(last_layer_, layer.layer);
}

absl::StatusOr<bool> StatisticsCollector::RunSlice(const Budget& budget) {
  SUPERPOSE_RETURN_IF_ERROR(failure_);
  while (sequence_ < end_) {
    failure_ = CatchTorch([&] { return RunUnit(); });
    SUPERPOSE_RETURN_IF_ERROR(failure_);
    if (budget.Exhausted()) break;
  }
  return sequence_ == end_;
}

absl::Status StatisticsCollector::RunUnit() {
  switch (phase_) {
    case Phase::kStart:
      SUPERPOSE_RETURN_IF_ERROR(StartBatch());
      RunPrefixBlock();
      break;
    case Phase::kPrefix:
      RunPrefixBlock();
      break;
    case Phase::kEncode:
      EncodeTile();
      break;
    case Phase::kMid:
      RunMidTile();
      break;
    case Phase::kSum:
      RunSums();
      break;
  }
  return absl::OkStatus();
}

absl::Status StatisticsCollector::StartBatch() {
  std::vector<int64_t> indices(std::min(config_.batch_size, end_ - sequence_));
  std::iota(indices.begin(), indices.end(), sequence_);
  const at::Tensor tokens = inputs_.sequences->Gather(indices);
  SUPERPOSE_RETURN_IF_ERROR(inputs_.model->CheckTokens(tokens));
  tokens_ = tokens;
  phase_ = Phase::kPrefix;
  chunk_ = 0;
  row_count_ = 0;
  return absl::OkStatus();
}

void StatisticsCollector::StartChunk() {
  const at::Tensor tokens = tokens_.narrow(0, chunk_, std::min(SequencesPerChunk(length_), tokens_.size(0) - chunk_));
  at::Tensor counts = at::ones_like(tokens, at::kBool);
  if (!config_.include_bos) counts.select(1, 0).copy_(tokens.select(1, 0).ne(inputs_.model->config().bos_token_id));
  chunk_rows_ = counts.flatten().nonzero().squeeze(1).to(inputs_.model->device());
  walk_.Start(tokens.to(inputs_.model->device()));
}

void StatisticsCollector::RunPrefixBlock() {
  if (!walk_.running()) StartChunk();
  const int64_t layer = walk_.next_layer();
  const bool wanted = std::any_of(inputs_.layers.begin(), inputs_.layers.end(),
                                  [layer](const CollectedLayer& collected) { return collected.layer == layer; });
  if (wanted)
    KeepMlp(layer, walk_.RunBlock());
  else
    walk_.RunBlock({});
  if (layer < last_layer_) return;
  walk_.Stop();
  chunk_ += std::min(SequencesPerChunk(length_), tokens_.size(0) - chunk_);
  row_count_ += chunk_rows_.numel();
  if (chunk_ < tokens_.size(0)) return;
  layer_index_ = 0;
  phase_ = Phase::kEncode;
  if (row_count_ == 0) FinishBatch();
}

// Of the chunk's rows those that count, after those of the chunks before.
void StatisticsCollector::KeepMlp(int64_t layer, const MlpTensors& mlp) {
  const auto keep = [&](const at::Tensor& from, const at::Tensor& to) {
    if (!to.defined()) return;
    at::Tensor kept = to.narrow(0, row_count_, chunk_rows_.numel());
    at::index_select_out(kept, from.flatten(0, 1), 0, chunk_rows_);
  };
  for (size_t i = 0; i < rows_.size(); ++i) {
    if (inputs_.layers[i].layer != layer) continue;
    keep(mlp.x_hat, rows_[i].x_hat);
    keep(mlp.pre, rows_[i].pre);
    keep(mlp.out, rows_[i].out);
  }
}

void StatisticsCollector::EncodeTile() {
  if (!encoder_) encoder_.emplace(*layer().transcoder, rows().x_hat.narrow(0, 0, row_count_));
  encoder_->EncodeNextTile();
  if (!encoder_->done()) return;
  activations_ = RowSlices(encoder_->Take());
  encoder_.reset();
  StartBlock(0);
}

void StatisticsCollector::StartBlock(int64_t begin) {
  block_begin_ = row_ = begin;
  block_end_ = std::min(begin + LayerStatistics::kMostRows, row_count_);
  const LayerSums& sums = sums_[layer_index_];
  if (NeedsMid(sums.options, sums.has_midcoder)) {
    phase_ = Phase::kMid;
  } else {
    BeginSums();
  }
}

void StatisticsCollector::RunMidTile() {
  const int64_t count = std::min(kRowsPerTile, block_end_ - row_);
  const at::Tensor mid = layer().midcoder->Mid(*inputs_.model, activations_.Slice(row_, row_ + count));
  mid_.narrow(0, row_ - block_begin_, count).copy_(mid);
  row_ += count;
  if (row_ == block_end_) BeginSums();
}

void StatisticsCollector::BeginSums() {
  const int64_t count = block_end_ - block_begin_;
  const auto block = [&](const at::Tensor& tensor) {
    return tensor.defined() ? tensor.narrow(0, block_begin_, count) : tensor;
  };
  sums_[layer_index_].statistics->Begin({.z = activations_.Slice(block_begin_, block_end_),
                                         .pre = block(rows().pre),
                                         .mid = phase_ == Phase::kMid ? mid_.narrow(0, 0, count) : at::Tensor(),
                                         .out = block(rows().out)});
  phase_ = Phase::kSum;
}

void StatisticsCollector::RunSums() {
  LayerStatistics& statistics = *sums_[layer_index_].statistics;
  statistics.RunUnit();
  if (!statistics.idle()) return;
  if (block_end_ < row_count_) return StartBlock(block_end_);
  FinishLayer();
}

void StatisticsCollector::FinishLayer() {
  activations_ = RowSlices();
  phase_ = Phase::kEncode;
  if (++layer_index_ == sums_.size()) FinishBatch();
}

void StatisticsCollector::FinishBatch() {
  sequence_ += tokens_.size(0);
  phase_ = Phase::kStart;
}

}  // namespace superpose
