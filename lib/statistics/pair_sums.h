#pragma once

#include <cstdint>
#include <vector>

#include "lib/statistics/sum_group.h"

namespace superpose {

// act_cov_counts_upper and act_cov_sum_upper: counts and products of every pair of features of a token, added where
// they lie in the triangle. On the CPU a feature is one thread's, whose row of the triangle then stays in its cache.
class PairSums : public SumGroup {
 public:
  PairSums(int64_t features, at::Device device, SumsBy by);

  void Begin(const StatisticsBatch& batch) override;
  bool RunUnit() override;
  std::vector<NamedSums> Sums() const override;

 private:
  void PrepareLoops();
  void PrepareOperators();
  void AddByLoops(int64_t begin, int64_t end);
  void AddByOperators(int64_t begin, int64_t end);

  const int64_t features_;
  const SumsBy by_;
  at::Tensor counts_;
  at::Tensor sums_;
  const CountedActivations* z_ = nullptr;
  at::Tensor host_row_splits_;        // z's rows on the CPU
  std::vector<int64_t> entries_;      // loops: of the transposed entries, their place in z
  std::vector<int64_t> pair_splits_;  // pairs before each feature (loops) or entry (operators)
  int64_t next_ = 0;
};

}  // namespace superpose
