// Statistics of a training run, step by step, while the parameters move.
#pragma once

#include <ATen/core/Tensor.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "lib/midcoder/layer_trainer.h"
#include "lib/midcoder/statistics_checkpoint.h"
#include "lib/midcoder/trainer_config.h"
#include "lib/model/model.h"
#include "lib/statistics/layer_statistics.h"
#include "lib/transcoder/sparse_activations.h"
#include "lib/transcoder/transcoder.h"

namespace superpose {

// Each step's rows are counted with mid as of before the step's update. A trainer puts the mid of its tiles into mid();
// whenever a block of rows is complete they are summed together, since sums by feature and hidden unit are the cheaper
// the more rows come at once. Functions other than Create may throw what LibTorch throws.
class StepStatistics {
 public:
  // Rows that are summed together, of a step of `rows`.
  static int64_t BlockRows(int64_t rows) { return std::min(rows, LayerStatistics::kMostRows); }

  // For steps of `rows` tokens. The errors of LayerStatistics::Create.
  static absl::StatusOr<std::unique_ptr<StepStatistics>> Create(
      const Model& model, const std::vector<std::shared_ptr<const Transcoder>>& transcoders,
      const TrainerConfig& config, int64_t rows);

  // tokens: int64 [sequences, length] on the device, `rows` in all.
  void BeginStep(const at::Tensor& tokens);
  // Where mid of rows [begin, begin + count) of the step belongs, float32 [count, d_mlp]. They must lie in one block.
  at::Tensor mid(int64_t begin, int64_t count) const { return mid_.narrow(0, begin % mid_.size(0), count); }
  // Whether a block ends with the row before `end`.
  bool IsBlockEnd(int64_t end) const { return end % mid_.size(0) == 0 || end == rows_; }
  // Takes the block that ends there: of activations and targets of the whole step, and of mid().
  void Begin(int64_t layer_index, const RowSlices& activations, const MlpRows& targets, int64_t end);
  // Works on the block: one unit.
  void RunUnit();
  // Whether the block is counted.
  bool idle() const { return sums_[layer_index_].statistics->idle(); }

  // By layer of the config.
  const std::vector<LayerSums>& sums() const { return sums_; }

 private:
  StepStatistics(std::vector<LayerSums> sums, const Model& model, bool include_bos, int64_t rows);

  const std::vector<LayerSums> sums_;
  const int64_t rows_;
  const int64_t bos_token_id_;
  const bool include_bos_;
  const at::Tensor mid_;  // float32 [BlockRows, d_mlp]
  at::Tensor keep_;       // bool [rows]: not BOS
  int64_t layer_index_ = 0;
};

}  // namespace superpose
