#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "lib/statistics/feature_blocks.h"
#include "lib/statistics/sum_group.h"
#include "lib/statistics/sum_loops.h"

namespace superpose {

// Sums [features, width] of which a batch adds to each feature's row what its tokens' rows of some matrix give. A row
// of sums is gone through once a batch: in memory of gigabytes that is what takes the time.
class FeatureRowSums : public SumGroup {
 public:
  void Begin(const StatisticsBatch& batch) final;
  bool RunUnit() final;

 protected:
  FeatureRowSums(int64_t width, SumsBy by) : width_(width), by_(by) {}

  int64_t width() const { return width_; }
  // Columns that a loop takes at a time, so that several rows of sums stay in the nearest cache.
  static constexpr int64_t kColumns = 1024;

  // Takes note of the batch.
  virtual void Take(const StatisticsBatch& batch) = 0;
  // Makes what operators need of it.
  virtual void PrepareOperators(const StatisticsBatch& batch) = 0;
  // Lets go of all of that.
  virtual void Release() = 0;
  // Columns [begin, begin + count) of one feature, by loops.
  virtual void AddByLoops(int64_t feature, const ActiveTokens& tokens, int64_t begin, int64_t count) = 0;
  // Features [begin, end), by operators.
  virtual void AddByOperators(int64_t begin, int64_t end) = 0;

  // For features [begin, end): the sum over each one's tokens of their rows of `table` (float64 [rows, width]) times
  // `weights` (float64, by transposed entry; undefined for ones).
  at::Tensor SumRows(const at::Tensor& table, const at::Tensor& weights, int64_t begin, int64_t end) const;

 private:
  void RunLoops(const FeatureBlocks::Block& block);

  const int64_t width_;
  const SumsBy by_;
  const CountedActivations* z_ = nullptr;
  FeatureBlocks blocks_;
};

}  // namespace superpose
