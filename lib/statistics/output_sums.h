#pragma once

#include <cstdint>
#include <vector>

#include "lib/statistics/sum_group.h"

namespace superpose {

// mlp_out_sum and mlp_out_cov_sum.
class OutputSums : public SumGroup {
 public:
  OutputSums(int64_t d_model, at::Device device);

  void Begin(const StatisticsBatch& batch) override;
  bool RunUnit() override;
  std::vector<NamedSums> Sums() const override;

 private:
  at::Tensor sum_;
  at::Tensor cov_sum_;
  at::Tensor out_;  // of the batch
  int64_t next_row_ = 0;
};

}  // namespace superpose
