#pragma once

#include <vector>

#include "lib/statistics/feature_row_sums.h"

namespace superpose {

// mlp_out_sum_no_act.
class FeatureOutputSums : public FeatureRowSums {
 public:
  FeatureOutputSums(int64_t features, int64_t d_model, at::Device device, SumsBy by);
  std::vector<NamedSums> Sums() const override;

 protected:
  void Take(const StatisticsBatch& batch) override { out_ = batch.out; }
  void PrepareOperators(const StatisticsBatch& batch) override;
  void Release() override;
  void AddByLoops(int64_t feature, const ActiveTokens& tokens, int64_t begin, int64_t count) override;
  void AddByOperators(int64_t begin, int64_t end) override;

 private:
  at::Tensor sum_;
  at::Tensor out_;       // of the batch
  at::Tensor wide_out_;  // operators: in float64
};

}  // namespace superpose
