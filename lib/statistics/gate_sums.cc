#include "lib/statistics/gate_sums.h"

#include <ATen/ATen.h>

namespace superpose {

GateSums::GateSums(int64_t features, int64_t d_mlp, at::Device device, SumsBy by)
    : FeatureRowSums(d_mlp, by),
      sum_(at::zeros({features, d_mlp}, at::TensorOptions(device).dtype(at::kDouble))),
      sq_sum_(at::zeros_like(sum_)),
      counts_(at::zeros({features, d_mlp}, at::TensorOptions(device).dtype(at::kLong))) {}

void GateSums::PrepareOperators(const StatisticsBatch& batch) {
  wide_gates_ = batch.gates.to(at::kDouble);
  z_ = batch.features.by_feature.values.to(at::kDouble);
}

void GateSums::Release() { wide_gates_ = z_ = gates_ = at::Tensor(); }

void GateSums::AddByLoops(int64_t feature, const ActiveTokens& tokens, int64_t begin, int64_t count) {
  const int64_t place = feature * width() + begin;
  AddGates(tokens, reinterpret_cast<const uint8_t*>(gates_.const_data_ptr<bool>()) + begin, width(), count,
           sum_.mutable_data_ptr<double>() + place, sq_sum_.mutable_data_ptr<double>() + place,
           counts_.mutable_data_ptr<int64_t>() + place);
}

void GateSums::AddByOperators(int64_t begin, int64_t end) {
  sum_.slice(0, begin, end).add_(SumRows(wide_gates_, z_, begin, end));
  sq_sum_.slice(0, begin, end).add_(SumRows(wide_gates_, z_.square(), begin, end));
  counts_.slice(0, begin, end).add_(SumRows(wide_gates_, {}, begin, end).to(at::kLong));
}

std::vector<NamedSums> GateSums::Sums() const {
  return {{"act_gate_sum", sum_}, {"act_sq_gate_sum", sq_sum_}, {"gate_act_counts", counts_}};
}

}  // namespace superpose
