#include "lib/factorization/gram_term.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <vector>

#include "lib/factorization/factor_loops.h"
#include "lib/kernels/dense_ops.h"

namespace superpose {
namespace {

constexpr int64_t kPanel = 256;  // columns of M in a unit
constexpr int64_t kRowsAtOnce = 16;

// `images` becomes w (S - S_hat); returns the sum of the losses.
double WeighTile(const at::Tensor& similarities, const at::Tensor& images, float theta) {
  const int64_t rows = images.size(0), n = images.size(1);
  const float* const s = similarities.const_data_ptr<float>();
  float* const image = images.mutable_data_ptr<float>();
  std::vector<double> sums(rows);
  at::parallel_for(0, rows, kRowsAtOnce, [&](int64_t first, int64_t last) {
    for (int64_t r = first; r < last; ++r) sums[r] = WeighDecoderSimilarities(s + r * n, image + r * n, n, theta);
  });
  double total = 0;
  for (const double sum : sums) total += sum;
  return total;
}

}  // namespace

GramTerm::GramTerm(int64_t most_rows, int64_t d, double theta)
    : d_(d),
      theta_(static_cast<float>(theta)),
      similarities_(std::min(kFactorTile, most_rows), std::min(kFactorTile, most_rows)),
      image_similarities_(std::min(kFactorTile, most_rows), std::min(kFactorTile, most_rows)),
      moment_(at::empty({d, d}, at::kFloat)),
      image_(at::empty({most_rows, d}, at::kFloat)),
      image_gradient_(at::empty({most_rows, d}, at::kFloat)),
      tiles_(0) {}

void GramTerm::Begin(const at::Tensor& batch) {
  batch_ = batch;
  rows_ = batch.size(0);
  sum_ = 0;
  at_ = 0;
  phase_ = Phase::kMoment;
}

bool GramTerm::RunUnit(const at::Tensor& factors, const at::Tensor& gradient) {
  switch (phase_) {
    case Phase::kMoment:
      RunMomentPanel(factors);
      return false;
    case Phase::kImage:
      ComputeImage();
      return false;
    case Phase::kPairs:
      RunPairs();
      return false;
    case Phase::kMomentGradient:
      FinishPairs();
      return false;
    case Phase::kGradient:
      return RunGradientBlock(factors, gradient);
  }
  return true;
}

// Columns of M down to the diagonal; the rest is their mirror image.
void GramTerm::RunMomentPanel(const at::Tensor& factors) {
  const int64_t columns = std::min(kPanel, d_ - at_), end = at_ + columns;
  MultiplyInto(factors.narrow(1, 0, end).t(), factors.narrow(1, at_, columns),
               moment_.narrow(0, 0, end).narrow(1, at_, columns));
  moment_.narrow(0, at_, columns).narrow(1, 0, at_).copy_(moment_.narrow(0, 0, at_).narrow(1, at_, columns).t());
  at_ = end;
  if (at_ == d_) phase_ = Phase::kImage;
}

void GramTerm::ComputeImage() {
  MultiplyInto(batch_, moment_, image());
  image_gradient().zero_();
  tiles_ = UpperTiles(rows_);
  phase_ = Phase::kPairs;
}

void GramTerm::RunPairs() {
  const int64_t row = tiles_.row(), column = tiles_.column();
  const at::Tensor similarities = similarities_.Similarities(RowsFrom(batch_, row), RowsFrom(batch_, column));
  const at::Tensor tile = image_similarities_.Similarities(RowsFrom(image(), row), RowsFrom(image(), column));
  const double sum = WeighTile(similarities, tile, theta_);
  AddProduct(tile, RowsFrom(image(), column), RowsFrom(image_gradient(), row));
  if (!tiles_.is_diagonal()) AddProduct(tile.t(), RowsFrom(image(), row), RowsFrom(image_gradient(), column));
  sum_ += tiles_.is_diagonal() ? sum : 2 * sum;
  tiles_.Next();
  if (tiles_.done()) phase_ = Phase::kMomentGradient;
}

void GramTerm::FinishPairs() {
  const double pairs = static_cast<double>(rows_) * static_cast<double>(rows_);
  at::Tensor half = at::empty_like(moment_);
  MultiplyInto(batch_.t(), image_gradient(), half);
  half.mul_(-4 / pairs);
  at::add_out(moment_, half, half.t());
  at_ = 0;
  phase_ = Phase::kGradient;
}

bool GramTerm::RunGradientBlock(const at::Tensor& factors, const at::Tensor& gradient) {
  const at::Tensor out = RowsFrom(gradient, at_);
  MultiplyInto(RowsFrom(factors, at_), moment_, out);
  at_ += out.size(0);
  return at_ == factors.size(0);
}

double GramTerm::loss() const { return sum_ / (static_cast<double>(rows_) * static_cast<double>(rows_)); }

}  // namespace superpose
