#include "lib/factorization/explainer.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "lib/factorization/factor_loops.h"
#include "lib/kernels/dense_ops.h"

namespace superpose {
namespace {

double Mean(const at::Tensor& values) { return values.mean(at::kDouble).item<double>(); }
double Median(const at::Tensor& values) { return values.median().item<double>(); }

}  // namespace

ExplanationSummary Summarize(const Explanation& explanation) {
  return {.decoders = explanation.error.numel(),
          .mean_error = Mean(explanation.error),
          .median_error = Median(explanation.error),
          .mean_cosine = Mean(explanation.cosine),
          .median_cosine = Median(explanation.cosine),
          .mean_codes = Mean(explanation.counts)};
}

Explainer::Explainer(const ExplainRule& rule, at::Tensor decoders, at::Tensor directions)
    : rule_(rule), decoders_(std::move(decoders)), directions_(std::move(directions)) {
  const int64_t n = decoders_.size(0), m = directions_.size(0), d = decoders_.size(1);
  explanation_.error = at::empty({n}, at::kFloat);
  explanation_.cosine = at::empty({n}, at::kFloat);
  explanation_.counts = at::zeros({n}, at::kLong);
  explanation_.uses = at::zeros({m}, at::kLong);
  const int64_t rows = std::min(kFactorTile, n);
  if (rule_.form == FactorForm::kGram) {
    room_.emplace(rows, std::min(kFactorTile, m));
    image_ = at::empty({rows, d}, at::kFloat);
    return;
  }
  const int64_t codes = std::min(rule_.codes, m);
  pursuit_.emplace(rows, m, d, codes);
  explanation_.ids = at::empty({n, codes}, at::kInt);
  explanation_.values = at::empty({n, codes}, at::kFloat);
}

bool Explainer::RunUnit() {
  if (!has_begun_) Begin();
  if (!(pursuit_ ? RunPursuit() : RunImage())) return false;
  row_ += rows().size(0);
  has_begun_ = false;
  return row_ == decoders_.size(0);
}

void Explainer::Begin() {
  has_begun_ = true;
  direction_ = 0;
  if (pursuit_) pursuit_->Begin(rows());
  if (image_.defined()) image_.zero_();
}

bool Explainer::RunPursuit() {
  if (!pursuit_->RunBlock(directions_)) return false;
  FinishCodes();
  return true;
}

void Explainer::FinishCodes() {
  const at::Tensor ids = pursuit_->ids(), decoders = rows(), residual = pursuit_->residual();
  RowsFrom(explanation_.ids, row_).copy_(ids);
  RowsFrom(explanation_.values, row_).copy_(pursuit_->values());
  const at::Tensor is_used = ids.ge(0), used = ids.masked_select(is_used).to(at::kLong);
  RowsFrom(explanation_.counts, row_).copy_(is_used.sum(1));
  explanation_.uses.add_(used.bincount({}, explanation_.uses.numel()));
  const int64_t d = decoders.size(1);
  float* const error = explanation_.error.mutable_data_ptr<float>() + row_;
  float* const cosine = explanation_.cosine.mutable_data_ptr<float>() + row_;
  for (int64_t r = 0; r < decoders.size(0); ++r) {
    const float* const x = decoders.const_data_ptr<float>() + r * d;
    const float* const left = residual.const_data_ptr<float>() + r * d;
    const double xx = DotInDouble(x, x, d), xl = DotInDouble(x, left, d), ll = DotInDouble(left, left, d);
    const double image = xx - 2 * xl + ll;  // |d_hat|^2
    error[r] = static_cast<float>(ll / xx);
    cosine[r] = image > 0 ? static_cast<float>((xx - xl) / std::sqrt(xx * image)) : 0;
  }
}

bool Explainer::RunImage() {
  const at::Tensor directions = RowsFrom(directions_, direction_), decoders = rows();
  const at::Tensor tile = room_->Similarities(decoders, directions);
  AddProduct(tile, directions, image_.narrow(0, 0, decoders.size(0)));
  const at::Tensor counts = tile.abs().gt(rule_.theta);
  RowsFrom(explanation_.counts, row_).add_(counts.sum(1));
  RowsFrom(explanation_.uses, direction_).add_(counts.sum(0));
  direction_ += directions.size(0);
  if (direction_ < directions_.size(0)) return false;
  FinishImage();
  return true;
}

void Explainer::FinishImage() {
  const at::Tensor decoders = rows();
  const int64_t d = decoders.size(1);
  float* const error = explanation_.error.mutable_data_ptr<float>() + row_;
  float* const cosine = explanation_.cosine.mutable_data_ptr<float>() + row_;
  for (int64_t r = 0; r < decoders.size(0); ++r) {
    const float* const x = decoders.const_data_ptr<float>() + r * d;
    const float* const y = image_.const_data_ptr<float>() + r * d;
    const double lengths = DotInDouble(x, x, d) * DotInDouble(y, y, d);
    const double similarity = lengths > 0 ? DotInDouble(x, y, d) / std::sqrt(lengths) : 0;
    cosine[r] = static_cast<float>(similarity);
    error[r] = static_cast<float>(std::max(0.0, 1 - similarity * similarity));
  }
}

}  // namespace superpose
