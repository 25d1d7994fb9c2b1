#include "lib/statistics/unit_sums.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>

#include "lib/statistics/gram_sum.h"
#include "lib/statistics/row_chunks.h"
#include "lib/statistics/sum_loops.h"

namespace superpose {
namespace {

constexpr int64_t kColumns = 256;

}  // namespace

UnitSums::UnitSums(int64_t d_mlp, bool has_midcoder, at::Device device, SumsBy by)
    : has_midcoder_(has_midcoder),
      by_(by),
      gate_counts_(at::zeros({d_mlp}, at::TensorOptions(device).dtype(at::kLong))),
      mid_sum_(at::zeros({d_mlp}, at::TensorOptions(device).dtype(at::kDouble))),
      gate_mid_sum_(at::zeros_like(mid_sum_)),
      sum_(at::zeros_like(mid_sum_)),
      cube_sum_(at::zeros_like(mid_sum_)),
      cov_sum_(at::zeros({d_mlp, d_mlp}, mid_sum_.options())) {}

void UnitSums::Begin(const StatisticsBatch& batch) {
  batch_ = &batch;
  next_row_ = 0;
}

bool UnitSums::RunUnit() {
  if (next_row_ == batch_->rows) {  // a unit of its own
    MirrorGram(cov_sum_);
    return true;
  }
  const int64_t begin = next_row_;
  next_row_ = std::min(begin + RowsPerChunk(cov_sum_), batch_->rows);
  const at::Tensor wide_pre = batch_->pre.slice(0, begin, next_row_).to(at::kDouble);
  by_ == SumsBy::kLoops ? AddByLoops(begin, next_row_) : AddByOperators(wide_pre, begin, next_row_);
  AddGram(wide_pre, cov_sum_);
  return false;
}

void UnitSums::AddByLoops(int64_t begin, int64_t end) {
  const int64_t width = sum_.numel(), rows = end - begin, first = begin * width;
  const float* pre = batch_->pre.const_data_ptr<float>() + first;
  const float* mid = has_midcoder_ ? batch_->mid.const_data_ptr<float>() + first : nullptr;
  const auto* gates = reinterpret_cast<const uint8_t*>(batch_->gates.const_data_ptr<bool>()) + first;
  at::parallel_for(0, (width + kColumns - 1) / kColumns, 1, [&](int64_t first_block, int64_t last_block) {
    for (int64_t k = first_block * kColumns; k < std::min(last_block * kColumns, width); k += kColumns) {
      const int64_t n = std::min(kColumns, width - k);
      AddColumns(pre + k, rows, width, n, sum_.mutable_data_ptr<double>() + k);
      AddCubes(pre + k, rows, width, n, cube_sum_.mutable_data_ptr<double>() + k);
      CountGates(gates + k, rows, width, n, gate_counts_.mutable_data_ptr<int64_t>() + k);
      if (mid == nullptr) continue;
      AddColumns(mid + k, rows, width, n, mid_sum_.mutable_data_ptr<double>() + k);
      AddGated(mid + k, gates + k, rows, width, n, gate_mid_sum_.mutable_data_ptr<double>() + k);
    }
  });
}

void UnitSums::AddByOperators(const at::Tensor& wide_pre, int64_t begin, int64_t end) {
  sum_.add_(wide_pre.sum(0));
  cube_sum_.add_(wide_pre.square().mul_(wide_pre).sum(0));
  const at::Tensor gates = batch_->gates.slice(0, begin, end);
  gate_counts_.add_(gates.sum(0));
  if (!has_midcoder_) return;
  const at::Tensor mid = batch_->mid.slice(0, begin, end).to(at::kDouble);
  mid_sum_.add_(mid.sum(0));
  gate_mid_sum_.add_(mid.mul(gates).sum(0));
}

std::vector<NamedSums> UnitSums::Sums() const {
  constexpr auto kOther = SumsOver::kOther;
  std::vector<NamedSums> sums{{"gate_counts", gate_counts_, kOther},
                              {"pre_relu_sum", sum_, kOther},
                              {"pre_relu_cube_sum", cube_sum_, kOther},
                              {"pre_relu_cov_sum", cov_sum_, kOther}};
  if (has_midcoder_) {
    sums.push_back({"mid_sum", mid_sum_, kOther});
    sums.push_back({"gate_mid_sum", gate_mid_sum_, kOther});
  }
  return sums;
}

}  // namespace superpose
