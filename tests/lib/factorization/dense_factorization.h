// The terms of a factorization as one would write them down, whole matrices and all, in float64: LibTorch's autograd
// differentiates them.
#pragma once

#include <ATen/ATen.h>

#include <cmath>
#include <functional>

namespace superpose {

inline at::Tensor UnitRows(const at::Tensor& rows) { return rows / rows.norm(2, at::IntArrayRef{1}, /*keepdim=*/true); }

// Unit rows that differ from run to run of no test.
inline at::Tensor SomeUnitRows(int64_t n, int64_t d, double step = 1) {
  const at::Tensor numbers = at::arange(n * d, at::kDouble) * step;
  return UnitRows(at::sin(numbers * numbers * 0.37 + numbers).view({n, d}));
}

// Twelve orthonormal directions [12, 16], and rows that are made of two of them each.
struct MadeOfParts {
  at::Tensor parts, rows;
};
inline MadeOfParts RowsOfTwoParts(int64_t n) {
  const at::Tensor parts = std::get<0>(at::linalg_qr(SomeUnitRows(16, 16, 1.1))).narrow(0, 0, 12);
  const at::Tensor draws = SomeUnitRows(n, 12, 1.9).abs();
  const at::Tensor second = std::get<0>(draws.topk(2, 1)).narrow(1, 1, 1);
  return {parts, (draws * draws.ge(second)).mm(parts)};
}

inline at::Tensor DenseWeight(const at::Tensor& similarities, double theta) {
  return at::tanh((similarities / theta).square());
}

inline at::Tensor DenseFactorTerm(const at::Tensor& factors, double theta) {
  const at::Tensor q = factors.mm(factors.t());
  return (DenseWeight(q, theta) * (q - at::eye(q.size(0), q.options())).square()).mean();
}

inline at::Tensor DenseGramTerm(const at::Tensor& batch, const at::Tensor& factors, double theta) {
  const at::Tensor image = batch.mm(factors.t()).mm(factors), s = batch.mm(batch.t());
  return (DenseWeight(s, theta) * (s - image.mm(image.t())).square()).mean();
}

// With magnitudes that autograd differentiates too: the pseudo-inverse of the factors taken, which are given.
inline at::Tensor DenseTopKTerm(const at::Tensor& batch, const at::Tensor& factors, const at::Tensor& ids) {
  at::Tensor sum = at::zeros({}, batch.options());
  for (int64_t r = 0; r < batch.size(0); ++r) {
    const at::Tensor taken = factors.index_select(0, ids[r].masked_select(ids[r].ge(0)).to(at::kLong));
    const at::Tensor magnitudes = at::linalg_pinv(taken.t()).mv(batch[r]);
    sum = sum + (batch[r] - taken.t().mv(magnitudes)).square().sum();
  }
  return sum / batch.size(0);
}

struct LossAndGradient {
  double loss = 0;
  at::Tensor gradient;
};
inline LossAndGradient Differentiate(const at::Tensor& at, const std::function<at::Tensor(const at::Tensor&)>& loss) {
  const at::Tensor variable = at.detach().clone().requires_grad_(true);
  const at::Tensor value = loss(variable);
  value.backward();
  return {value.item<double>(), variable.grad()};
}

}  // namespace superpose
