#include "lib/statistics/output_sums.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "lib/statistics/gram_sum.h"
#include "lib/statistics/row_chunks.h"
#include "lib/statistics/sum_loops.h"

namespace superpose {

OutputSums::OutputSums(int64_t d_model, at::Device device)
    : sum_(at::zeros({d_model}, at::TensorOptions(device).dtype(at::kDouble))),
      cov_sum_(at::zeros({d_model, d_model}, sum_.options())) {}

void OutputSums::Begin(const StatisticsBatch& batch) {
  out_ = batch.out;
  next_row_ = 0;
}

bool OutputSums::RunUnit() {
  const int64_t begin = next_row_;
  next_row_ = std::min(begin + RowsPerChunk(cov_sum_), out_.size(0));
  const at::Tensor wide = out_.slice(0, begin, next_row_).to(at::kDouble);
  if (sum_.is_cpu()) {  // in an order that does not depend on the number of threads
    const int64_t n = sum_.numel();
    AddColumns(out_.const_data_ptr<float>() + begin * n, next_row_ - begin, n, n, sum_.mutable_data_ptr<double>());
  } else {
    sum_.add_(wide.sum(0));
  }
  AddGram(wide, cov_sum_);
  if (next_row_ < out_.size(0)) return false;
  MirrorGram(cov_sum_);
  out_ = at::Tensor();
  return true;
}

std::vector<NamedSums> OutputSums::Sums() const {
  return {{"mlp_out_sum", sum_, SumsOver::kOther}, {"mlp_out_cov_sum", cov_sum_, SumsOver::kOther}};
}

}  // namespace superpose
