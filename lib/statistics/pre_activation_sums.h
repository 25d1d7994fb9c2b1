#pragma once

#include <vector>

#include "lib/statistics/feature_row_sums.h"

namespace superpose {

// pre_relu_sum_no_act, pre_relu_sq_sum_act and act_pre_relu_sum.
class PreActivationSums : public FeatureRowSums {
 public:
  PreActivationSums(int64_t features, int64_t d_mlp, at::Device device, SumsBy by);
  std::vector<NamedSums> Sums() const override;

 protected:
  void Take(const StatisticsBatch& batch) override { pre_ = batch.pre; }
  void PrepareOperators(const StatisticsBatch& batch) override;
  void Release() override;
  void AddByLoops(int64_t feature, const ActiveTokens& tokens, int64_t begin, int64_t count) override;
  void AddByOperators(int64_t begin, int64_t end) override;

 private:
  at::Tensor sum_;
  at::Tensor sq_sum_;
  at::Tensor products_;
  at::Tensor pre_;       // of the batch
  at::Tensor wide_pre_;  // operators: in float64
  at::Tensor squares_;   // operators: of wide_pre_
  at::Tensor z_;         // operators: activations in float64
};

}  // namespace superpose
