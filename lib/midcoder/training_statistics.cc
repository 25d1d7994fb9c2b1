#include "lib/midcoder/training_statistics.h"

#include <ATen/ATen.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "lib/base/status_macros.h"

namespace superpose {

absl::StatusOr<std::unique_ptr<StepStatistics>> StepStatistics::Create(
    const Model& model, const std::vector<std::shared_ptr<const Transcoder>>& transcoders, const TrainerConfig& config,
    int64_t rows) {
  std::vector<LayerSums> sums;
  for (size_t i = 0; i < config.layers.size(); ++i) {
    const StatisticsShape shape{
        .d_sae = transcoders[i]->d_sae(), .d_mlp = model.config().d_mlp, .d_model = model.config().d_model};
    StatisticsOptions options = config.statistics->layers[i];
    options.gate = GateSource::kMidcoder;
    SUPERPOSE_ASSIGN_OR_RETURN(
        LayerSums layer, CreateSums(absl::StrCat("layer", config.layers[i], ".statistics"), shape, std::move(options),
                                    /*has_midcoder=*/true, model.device()));
    sums.push_back(std::move(layer));
  }
  return std::unique_ptr<StepStatistics>(
      new StepStatistics(std::move(sums), model, config.statistics->include_bos, rows));
}

StepStatistics::StepStatistics(std::vector<LayerSums> sums, const Model& model, bool include_bos, int64_t rows)
    : sums_(std::move(sums)),
      rows_(rows),
      bos_token_id_(model.config().bos_token_id),
      include_bos_(include_bos),
      mid_(at::empty({BlockRows(rows), model.config().d_mlp}, at::TensorOptions(model.device()).dtype(at::kFloat))) {}

void StepStatistics::BeginStep(const at::Tensor& tokens) {
  if (include_bos_) return;
  at::Tensor keep = at::ones_like(tokens, tokens.options().dtype(at::kBool));
  keep.select(1, 0).copy_(tokens.select(1, 0).ne(bos_token_id_));
  keep_ = keep.flatten();
}

void StepStatistics::Begin(int64_t layer_index, const RowSlices& activations, const MlpRows& targets, int64_t end) {
  layer_index_ = layer_index;
  const int64_t begin = (end - 1) / mid_.size(0) * mid_.size(0);
  const auto block = [&](const at::Tensor& tensor) { return tensor.narrow(0, begin, end - begin); };
  StatisticsRows rows{.z = activations.Slice(begin, end),
                      .pre = block(targets.pre),
                      .mid = mid(begin, end - begin),
                      .out = block(targets.out)};
  if (!include_bos_) rows = KeepRows(rows, block(keep_));
  if (rows.z.rows() > 0) sums_[layer_index_].statistics->Begin(std::move(rows));
}

void StepStatistics::RunUnit() {
  if (!idle()) sums_[layer_index_].statistics->RunUnit();
}

}  // namespace superpose
