#include "lib/statistics/pair_sums.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <numeric>
#include <optional>

#include "lib/kernels/parallel_by_entries.h"
#include "lib/statistics/snapshot_layout.h"
#include "lib/statistics/sum_loops.h"

namespace superpose {
namespace {

constexpr int64_t kPairsPerUnit = 4'000'000;

// Pairs (a, b) with b in a's row at or after a, for entries [begin, end) of which the first `pairs_before[a]` exist.
struct Pairs {
  at::Tensor left;   // int64 [pairs]
  at::Tensor right;  // int64 [pairs]
};
Pairs PairsOf(const at::Tensor& pair_splits, int64_t begin, int64_t pairs) {
  const at::Tensor left = at::repeat_interleave(pair_splits.diff(), std::optional<int64_t>(pairs));
  const at::Tensor first = pair_splits.index_select(0, left).sub_(pair_splits[0]);
  const at::Tensor within = at::arange(pairs, left.options()).sub_(first);
  return {left + begin, within.add_(left).add_(begin)};
}

}  // namespace

PairSums::PairSums(int64_t features, at::Device device, SumsBy by)
    : features_(features),
      by_(by),
      counts_(at::zeros({TriangleSize(features)}, at::TensorOptions(device).dtype(at::kLong))),
      sums_(at::zeros({TriangleSize(features)}, at::TensorOptions(device).dtype(at::kDouble))) {}

void PairSums::Begin(const StatisticsBatch& batch) {
  z_ = &batch.pairs;
  next_ = 0;
  host_row_splits_ = z_->z.row_splits.cpu();
  by_ == SumsBy::kLoops ? PrepareLoops() : PrepareOperators();
}

void PairSums::PrepareLoops() {
  const int64_t* row_splits = host_row_splits_.const_data_ptr<int64_t>();
  const int64_t* feature_splits = z_->host_splits.const_data_ptr<int64_t>();
  const int32_t* ids = z_->z.feature_ids.const_data_ptr<int32_t>();
  entries_.resize(z_->z.entries());
  pair_splits_.assign(features_ + 1, 0);
  std::vector<int64_t> next(feature_splits, feature_splits + features_);
  for (int64_t r = 0; r < z_->z.rows(); ++r) {
    for (int64_t e = row_splits[r]; e < row_splits[r + 1]; ++e) {
      entries_[next[ids[e]]++] = e;
      pair_splits_[ids[e] + 1] += row_splits[r + 1] - e;
    }
  }
  std::partial_sum(pair_splits_.begin(), pair_splits_.end(), pair_splits_.begin());
}

void PairSums::PrepareOperators() {
  const int64_t* row_splits = host_row_splits_.const_data_ptr<int64_t>();
  pair_splits_.assign(z_->z.entries() + 1, 0);
  for (int64_t r = 0; r < z_->z.rows(); ++r) {
    for (int64_t e = row_splits[r]; e < row_splits[r + 1]; ++e) {
      pair_splits_[e + 1] = pair_splits_[e] + row_splits[r + 1] - e;
    }
  }
}

bool PairSums::RunUnit() {
  const auto last = static_cast<int64_t>(pair_splits_.size()) - 1;
  if (next_ == last) return true;
  const int64_t begin = next_;
  const auto after =
      std::upper_bound(pair_splits_.begin() + begin + 1, pair_splits_.end(), pair_splits_[begin] + kPairsPerUnit);
  next_ = std::max<int64_t>(begin + 1, after - pair_splits_.begin() - 1);
  by_ == SumsBy::kLoops ? AddByLoops(begin, next_) : AddByOperators(begin, next_);
  if (next_ < last) return false;
  host_row_splits_ = at::Tensor();
  return true;
}

void PairSums::AddByLoops(int64_t begin, int64_t end) {
  const int64_t* row_splits = host_row_splits_.const_data_ptr<int64_t>();
  const int64_t* feature_splits = z_->host_splits.const_data_ptr<int64_t>();
  const int32_t* rows = z_->by_feature.rows.const_data_ptr<int32_t>();
  const int32_t* ids = z_->z.feature_ids.const_data_ptr<int32_t>();
  const float* values = z_->z.values.const_data_ptr<float>();
  auto* counts = counts_.mutable_data_ptr<int64_t>();
  auto* sums = sums_.mutable_data_ptr<double>();
  ParallelByEntries(pair_splits_.data(), begin, end, [&](int64_t first, int64_t last) {
    for (int64_t i = first; i < last; ++i) {
      const int64_t row = i * (2 * features_ - i - 1) / 2;  // so that pair (i, j) lies at row + j
      for (int64_t place = feature_splits[i]; place < feature_splits[i + 1]; ++place) {
        const int64_t e = entries_[place], count = row_splits[rows[place] + 1] - e;
        AddPairs(values[e], ids + e, values + e, count, counts + row, sums + row);
      }
    }
  });
}

// Repeated places are added in a fixed order: index_put_ sorts them.
void PairSums::AddByOperators(int64_t begin, int64_t end) {
  const int64_t pairs = pair_splits_[end] - pair_splits_[begin];
  const at::Tensor splits = at::from_blob(pair_splits_.data() + begin, {end - begin + 1}, at::kLong);
  const auto [left, right] = PairsOf(splits.to(sums_.device()), begin, pairs);
  const at::Tensor i = z_->z.feature_ids.index_select(0, left).to(at::kLong);
  const at::Tensor places =
      at::div(i.neg().add_(2 * features_ - 1).mul_(i), 2, "floor").add_(z_->z.feature_ids.index_select(0, right));
  const at::Tensor z = z_->z.values.to(at::kDouble);
  counts_.index_add_(0, places, at::ones_like(places));
  sums_.index_put_({places}, z.index_select(0, left).mul_(z.index_select(0, right)), /*accumulate=*/true);
}

std::vector<NamedSums> PairSums::Sums() const {
  return {{"act_cov_counts_upper", counts_, SumsOver::kPairs}, {"act_cov_sum_upper", sums_, SumsOver::kPairs}};
}

}  // namespace superpose
