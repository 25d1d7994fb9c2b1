// Sums over tokens of one layer: of its transcoder's activations, its hidden units and its output, and of all of them
// by feature and by pair of features. snapshot_layout.h names the tensors and has their formulas. Counts are int64 and
// exact; sums are float64: over 200 million tokens they keep a relative error under 1e-6.
//
// Rows come in batches; a batch is worked through in units of about 50 ms, so that a caller can give way. Sums depend
// neither on how the work is sliced nor, on the CPU, on the number of threads. Pairs are kept as a dense upper triangle
// (16 bytes a pair): the count of pairs that were ever seen together grows with the tokens, and a sparse form with its
// keys is the smaller one only for short runs. Where the triangle is too large, choose pair_ids.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "lib/statistics/statistics_options.h"
#include "lib/tensor_io/safetensors.h"
#include "lib/transcoder/sparse_activations.h"

namespace superpose {

// What is known of some tokens: row r of each is token r.
struct StatisticsRows {
  SparseActivations z;
  at::Tensor pre;  // float32 [rows, d_mlp]: x_hat W_in + b_in; undefined where no group needs it
  at::Tensor mid;  // float32 [rows, d_mlp] of the midcoder; undefined without one
  at::Tensor out;  // float32 [rows, d_model]: the model's own MLP output; undefined where no group needs it
};

// Not thread-safe. Functions other than Create and Restore may throw what LibTorch throws.
class LayerStatistics {
 public:
  // Rows of a batch at most; more are refused with CONFIG_INVALID by Create's caller. Workspaces depend on it.
  static constexpr int64_t kMostRows = 8192;

  // CONFIG_INVALID (gate kMidcoder without a midcoder; pair_ids with duplicates or not among feature_ids),
  // FEATURE_OUT_OF_RANGE, EMPTY_SELECTION, OUT_OF_MEMORY.
  static absl::StatusOr<std::unique_ptr<LayerStatistics>> Create(const StatisticsShape& shape,
                                                                 StatisticsOptions options, bool has_midcoder,
                                                                 at::Device device);
  virtual ~LayerStatistics() = default;

  // Takes the next batch, on the device; only when idle(). The tensors must not change until it is idle again.
  virtual void Begin(StatisticsRows rows) = 0;
  // Works on the batch: one unit.
  virtual void RunUnit() = 0;
  // Whether the last batch is counted.
  virtual bool idle() const = 0;

  // Tokens counted; only when idle().
  virtual int64_t tokens() const = 0;
  // The sums as a snapshot has them (snapshot_layout.h), on the CPU: for all features the live tensors themselves where
  // the device is the CPU. Only when idle(); the caller stands still until it is done with them, or clones.
  virtual TensorMap Tensors() const = 0;
  // Goes on from Tensors() of another run with the same options; nothing is changed when it fails. TENSOR_MISSING,
  // TENSOR_SHAPE_MISMATCH.
  virtual absl::Status Restore(const TensorMap& tensors) = 0;
};

// Bytes that LayerStatistics holds: what it keeps, and with the workspaces of a batch of `rows`, of which each has
// active_features on average. The batch itself is its caller's.
struct StatisticsBytes {
  int64_t kept = 0;
  int64_t peak = 0;
};
StatisticsBytes EstimateStatistics(const StatisticsShape& shape, const StatisticsOptions& options, bool has_midcoder,
                                   int64_t rows, double active_features);

// Rows of `rows` where keep (bool [rows] on the device) is true: BOS positions are left out with it.
StatisticsRows KeepRows(const StatisticsRows& rows, const at::Tensor& keep);

}  // namespace superpose
