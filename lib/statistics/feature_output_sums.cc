#include "lib/statistics/feature_output_sums.h"

#include <ATen/ATen.h>

namespace superpose {

FeatureOutputSums::FeatureOutputSums(int64_t features, int64_t d_model, at::Device device, SumsBy by)
    : FeatureRowSums(d_model, by), sum_(at::zeros({features, d_model}, at::TensorOptions(device).dtype(at::kDouble))) {}

void FeatureOutputSums::PrepareOperators(const StatisticsBatch& batch) { wide_out_ = batch.out.to(at::kDouble); }

void FeatureOutputSums::Release() { wide_out_ = out_ = at::Tensor(); }

void FeatureOutputSums::AddByLoops(int64_t feature, const ActiveTokens& tokens, int64_t begin, int64_t count) {
  AddOutputs(tokens, out_.const_data_ptr<float>() + begin, width(), count,
             sum_.mutable_data_ptr<double>() + feature * width() + begin);
}

void FeatureOutputSums::AddByOperators(int64_t begin, int64_t end) {
  sum_.slice(0, begin, end).add_(SumRows(wide_out_, {}, begin, end));
}

std::vector<NamedSums> FeatureOutputSums::Sums() const { return {{"mlp_out_sum_no_act", sum_}}; }

}  // namespace superpose
