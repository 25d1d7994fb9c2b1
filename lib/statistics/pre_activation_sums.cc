#include "lib/statistics/pre_activation_sums.h"

#include <ATen/ATen.h>

namespace superpose {

PreActivationSums::PreActivationSums(int64_t features, int64_t d_mlp, at::Device device, SumsBy by)
    : FeatureRowSums(d_mlp, by),
      sum_(at::zeros({features, d_mlp}, at::TensorOptions(device).dtype(at::kDouble))),
      sq_sum_(at::zeros_like(sum_)),
      products_(at::zeros_like(sum_)) {}

void PreActivationSums::PrepareOperators(const StatisticsBatch& batch) {
  wide_pre_ = batch.pre.to(at::kDouble);
  squares_ = wide_pre_.square();
  z_ = batch.features.by_feature.values.to(at::kDouble);
}

void PreActivationSums::Release() { wide_pre_ = squares_ = z_ = pre_ = at::Tensor(); }

void PreActivationSums::AddByLoops(int64_t feature, const ActiveTokens& tokens, int64_t begin, int64_t count) {
  const int64_t place = feature * width() + begin;
  AddPreActivations(tokens, pre_.const_data_ptr<float>() + begin, width(), count,
                    sum_.mutable_data_ptr<double>() + place, sq_sum_.mutable_data_ptr<double>() + place,
                    products_.mutable_data_ptr<double>() + place);
}

void PreActivationSums::AddByOperators(int64_t begin, int64_t end) {
  sum_.slice(0, begin, end).add_(SumRows(wide_pre_, {}, begin, end));
  sq_sum_.slice(0, begin, end).add_(SumRows(squares_, {}, begin, end));
  products_.slice(0, begin, end).add_(SumRows(wide_pre_, z_, begin, end));
}

std::vector<NamedSums> PreActivationSums::Sums() const {
  return {{"pre_relu_sum_no_act", sum_}, {"pre_relu_sq_sum_act", sq_sum_}, {"act_pre_relu_sum", products_}};
}

}  // namespace superpose
