#include "lib/factorization/topk_term.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <memory>

#include "lib/factorization/factor_loops.h"
#include "lib/factorization/factor_tiles.h"
#include "lib/factorization/gram_term.h"

namespace superpose {

TopKTerm::TopKTerm(int64_t most_rows, int64_t factors, int64_t d, int64_t codes)
    : pursuit_(std::min(kFactorTile, most_rows), factors, d, codes) {}

void TopKTerm::Begin(const at::Tensor& batch) {
  batch_ = batch;
  row_ = 0;
  has_begun_ = false;
  sum_ = 0;
}

bool TopKTerm::RunUnit(const at::Tensor& factors, const at::Tensor& gradient) {
  if (row_ == 0 && !has_begun_) gradient.zero_();
  if (!has_begun_) pursuit_.Begin(RowsFrom(batch_, row_));
  has_begun_ = true;
  if (!pursuit_.RunBlock(factors)) return false;
  FinishRows(gradient);
  row_ += pursuit_.residual().size(0);
  has_begun_ = false;
  return row_ == batch_.size(0);
}

// One thread, in the order of rows: what is added up does not depend on how many there are.
void TopKTerm::FinishRows(const at::Tensor& gradient) {
  const at::Tensor ids = pursuit_.ids(), values = pursuit_.values(), residual = pursuit_.residual();
  const int64_t rows = ids.size(0), codes = ids.size(1), d = residual.size(1);
  const int32_t* const id = ids.const_data_ptr<int32_t>();
  const float* const value = values.const_data_ptr<float>();
  const float* const left = residual.const_data_ptr<float>();
  float* const out = gradient.mutable_data_ptr<float>();
  const double scale = -2 / static_cast<double>(batch_.size(0));
  for (int64_t r = 0; r < rows; ++r) {
    const float* const row = left + r * d;
    sum_ += DotInDouble(row, row, d);
    for (int64_t c = r * codes; c < (r + 1) * codes && id[c] >= 0; ++c) {
      AddScaledRow(out + id[c] * d, row, static_cast<float>(scale * value[c]), d);
    }
  }
}

std::unique_ptr<DecoderTerm> MakeDecoderTerm(const FactorizerConfig& config, int64_t most_rows, int64_t d) {
  if (config.form == FactorForm::kGram) return std::make_unique<GramTerm>(most_rows, d, config.theta);
  return std::make_unique<TopKTerm>(most_rows, config.factors, d, config.codes);
}

}  // namespace superpose
