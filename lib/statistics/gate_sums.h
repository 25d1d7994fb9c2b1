#pragma once

#include <vector>

#include "lib/statistics/feature_row_sums.h"

namespace superpose {

// act_gate_sum, act_sq_gate_sum and gate_act_counts.
class GateSums : public FeatureRowSums {
 public:
  GateSums(int64_t features, int64_t d_mlp, at::Device device, SumsBy by);
  std::vector<NamedSums> Sums() const override;

 protected:
  void Take(const StatisticsBatch& batch) override { gates_ = batch.gates; }
  void PrepareOperators(const StatisticsBatch& batch) override;
  void Release() override;
  void AddByLoops(int64_t feature, const ActiveTokens& tokens, int64_t begin, int64_t count) override;
  void AddByOperators(int64_t begin, int64_t end) override;

 private:
  at::Tensor sum_;
  at::Tensor sq_sum_;
  at::Tensor counts_;
  at::Tensor gates_;       // of the batch
  at::Tensor wide_gates_;  // operators: in float64
  at::Tensor z_;           // operators: activations in float64
};

}  // namespace superpose
