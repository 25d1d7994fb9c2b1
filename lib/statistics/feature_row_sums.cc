#include "lib/statistics/feature_row_sums.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "lib/kernels/parallel_by_entries.h"

namespace superpose {
namespace {

constexpr int64_t kElementsPerUnit = 150'000'000;  // that loops read, or
constexpr int64_t kSumsPerUnit = 1 << 23;          // sums of a unit on a device, a copy of which is made

}  // namespace

void FeatureRowSums::Begin(const StatisticsBatch& batch) {
  z_ = &batch.features;
  Take(batch);
  const int64_t entries = std::max<int64_t>(kElementsPerUnit / width_, 1);
  const int64_t count = z_->host_splits.numel() - 1;
  const int64_t features = by_ == SumsBy::kLoops ? count : kSumsPerUnit / width_;
  blocks_ = FeatureBlocks(z_->host_splits.const_data_ptr<int64_t>(), count, entries, features);
  if (by_ == SumsBy::kOperators) PrepareOperators(batch);
}

bool FeatureRowSums::RunUnit() {
  const FeatureBlocks::Block block = blocks_.Next();
  by_ == SumsBy::kLoops ? RunLoops(block) : AddByOperators(block.begin, block.end);
  if (!blocks_.done()) return false;
  Release();
  return true;
}

void FeatureRowSums::RunLoops(const FeatureBlocks::Block& block) {
  const int64_t* splits = z_->host_splits.const_data_ptr<int64_t>();
  const int32_t* rows = z_->by_feature.rows.const_data_ptr<int32_t>();
  const float* values = z_->by_feature.values.const_data_ptr<float>();
  ParallelByEntries(splits, block.begin, block.end, [&](int64_t first, int64_t last) {
    for (int64_t j = first; j < last; ++j) {
      const ActiveTokens tokens{rows + splits[j], values + splits[j], splits[j + 1] - splits[j]};
      if (tokens.count == 0) continue;
      for (int64_t k = 0; k < width_; k += kColumns) AddByLoops(j, tokens, k, std::min(kColumns, width_ - k));
    }
  });
}

at::Tensor FeatureRowSums::SumRows(const at::Tensor& table, const at::Tensor& weights, int64_t begin,
                                   int64_t end) const {
  const int64_t* splits = z_->host_splits.const_data_ptr<int64_t>();
  const int64_t first = splits[begin], count = splits[end] - first;
  if (count == 0) return at::zeros({end - begin, width_}, table.options());
  const at::Tensor rows = z_->by_feature.rows.narrow(0, first, count).to(at::kLong);
  const at::Tensor offsets = z_->by_feature.feature_splits.slice(0, begin, end + 1) - first;
  const at::Tensor factors = weights.defined() ? weights.narrow(0, first, count) : at::ones({count}, table.options());
  return std::get<0>(at::embedding_bag(table, rows, offsets, /*scale_grad_by_freq=*/false, /*mode=*/0,
                                       /*sparse=*/false, factors, /*include_last_offset=*/true));
}

}  // namespace superpose
