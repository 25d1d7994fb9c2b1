#pragma once

#include <vector>

#include "lib/statistics/sum_group.h"

namespace superpose {

// act_counts, act_sum, act_sq_sum, act_max and act_log2_histogram.
class FeatureSums : public SumGroup {
 public:
  FeatureSums(int64_t features, at::Device device);

  void Begin(const StatisticsBatch& batch) override { z_ = &batch.features; }
  bool RunUnit() override;
  std::vector<NamedSums> Sums() const override;

 private:
  at::Tensor counts_;
  at::Tensor sum_;
  at::Tensor sq_sum_;
  at::Tensor max_;
  at::Tensor histogram_;
  const CountedActivations* z_ = nullptr;
};

}  // namespace superpose
