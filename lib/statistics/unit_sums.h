#pragma once

#include <cstdint>
#include <vector>

#include "lib/statistics/sum_group.h"

namespace superpose {

// gate_counts, mid_sum, gate_mid_sum (with a midcoder), pre_relu_sum, pre_relu_cube_sum and pre_relu_cov_sum.
class UnitSums : public SumGroup {
 public:
  UnitSums(int64_t d_mlp, bool has_midcoder, at::Device device, SumsBy by);

  void Begin(const StatisticsBatch& batch) override;
  bool RunUnit() override;
  std::vector<NamedSums> Sums() const override;

 private:
  void AddByLoops(int64_t begin, int64_t end);
  void AddByOperators(const at::Tensor& wide_pre, int64_t begin, int64_t end);

  const bool has_midcoder_;
  const SumsBy by_;
  at::Tensor gate_counts_;
  at::Tensor mid_sum_;
  at::Tensor gate_mid_sum_;
  at::Tensor sum_;
  at::Tensor cube_sum_;
  at::Tensor cov_sum_;
  const StatisticsBatch* batch_ = nullptr;
  int64_t next_row_ = 0;
};

}  // namespace superpose
