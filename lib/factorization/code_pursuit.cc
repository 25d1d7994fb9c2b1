#include "lib/factorization/code_pursuit.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "lib/factorization/factor_loops.h"
#include "lib/factorization/factorizer_config.h"

namespace superpose {
namespace {

constexpr int64_t kRowsAtOnce = 16;
constexpr double kNothingLeft = 1e-10;   // of the row's squared length: float32 tells no more
constexpr double kSmallestPivot = 1e-6;  // squared distance of a unit factor from the span of others

// Adds row `last` to the lower Cholesky factor of a matrix, whose row of products is there. False where the pivot is
// too small.
bool AddCholeskyRow(double* lower, int64_t stride, int64_t last) {
  double* const row = lower + last * stride;
  for (int64_t j = 0; j < last; ++j) {
    const double* const other = lower + j * stride;
    for (int64_t i = 0; i < j; ++i) row[j] -= row[i] * other[i];
    row[j] /= other[j];
    row[last] -= row[j] * row[j];
  }
  if (!(row[last] > kSmallestPivot)) return false;
  row[last] = std::sqrt(row[last]);
  return true;
}

// solution = (L L^T)^-1 target.
void SolveCholesky(const double* lower, int64_t stride, int64_t n, const double* target, double* solution) {
  for (int64_t i = 0; i < n; ++i) {
    double value = target[i];
    for (int64_t j = 0; j < i; ++j) value -= lower[i * stride + j] * solution[j];
    solution[i] = value / lower[i * stride + i];
  }
  for (int64_t i = n - 1; i >= 0; --i) {
    for (int64_t j = i + 1; j < n; ++j) solution[i] -= lower[j * stride + i] * solution[j];
    solution[i] /= lower[i * stride + i];
  }
}

}  // namespace

CodePursuit::CodePursuit(int64_t most_rows, int64_t factors, int64_t d, int64_t codes)
    : factors_(factors),
      d_(d),
      codes_(codes),
      room_(most_rows, std::min(kFactorTile, factors)),
      residual_(at::empty({most_rows, d}, at::kFloat)),
      ids_(at::empty({most_rows, codes}, at::kInt)),
      values_(at::empty({most_rows, codes}, at::kFloat)),
      best_(at::empty({most_rows}, at::kFloat)),
      best_id_(at::empty({most_rows}, at::kInt)),
      ended_(at::empty({most_rows}, at::kBool)),
      cholesky_(at::empty({most_rows, codes, codes}, at::kDouble)),
      target_(at::empty({most_rows, codes}, at::kDouble)),
      squares_(at::empty({most_rows}, at::kDouble)) {}

void CodePursuit::Begin(const at::Tensor& rows) {
  rows_ = rows;
  count_ = rows.size(0);
  round_ = factor_ = 0;
  residual().copy_(rows);
  ids_.fill_(-1);
  values_.zero_();
  ended_.zero_();
  best_.fill_(-1);
  best_id_.fill_(-1);
  const float* const all = rows.const_data_ptr<float>();
  double* const squares = squares_.mutable_data_ptr<double>();
  for (int64_t r = 0; r < count_; ++r) squares[r] = DotInDouble(all + r * d_, all + r * d_, d_);
}

bool CodePursuit::RunBlock(const at::Tensor& factors) {
  UpdateBest(room_.Similarities(residual(), RowsFrom(factors, factor_)));
  factor_ = std::min(factor_ + kFactorTile, factors_);
  if (factor_ < factors_) return false;
  FinishRound(factors);
  return round_ == codes_;
}

void CodePursuit::UpdateBest(const at::Tensor& products) {
  const int64_t n = products.size(1);
  float* const values = products.mutable_data_ptr<float>();
  const int32_t* const ids = ids_.const_data_ptr<int32_t>();
  float* const best = best_.mutable_data_ptr<float>();
  int32_t* const best_id = best_id_.mutable_data_ptr<int32_t>();
  at::parallel_for(0, count_, kRowsAtOnce, [&](int64_t first, int64_t last) {
    for (int64_t r = first; r < last; ++r) {
      float* const row = values + r * n;
      // No factor comes twice. NaN is never the largest.
      for (int64_t c = 0; c < round_; ++c) {
        const int64_t place = ids[r * codes_ + c] - factor_;
        if (place >= 0 && place < n) row[place] = std::numeric_limits<float>::quiet_NaN();
      }
      const float largest = LargestMagnitude(row, n);
      if (!(largest > best[r])) continue;
      best[r] = largest;
      best_id[r] = static_cast<int32_t>(
          factor_ + (std::find_if(row, row + n, [&](float value) { return std::fabs(value) == largest; }) - row));
    }
  });
}

void CodePursuit::FinishRound(const at::Tensor& factors) {
  bool* const ended = ended_.mutable_data_ptr<bool>();
  at::parallel_for(0, count_, kRowsAtOnce, [&](int64_t first, int64_t last) {
    for (int64_t r = first; r < last; ++r) {
      if (!ended[r]) TakeFactor(factors, r);
    }
  });
  ++round_;
  factor_ = 0;
  best_.fill_(-1);
  best_id_.fill_(-1);
}

void CodePursuit::TakeFactor(const at::Tensor& factors, int64_t row) {
  const int32_t id = best_id_.const_data_ptr<int32_t>()[row];
  const float* const all = factors.const_data_ptr<float>();
  const float* const x = rows_.const_data_ptr<float>() + row * d_;
  const double square = squares_.const_data_ptr<double>()[row];
  int32_t* const ids = ids_.mutable_data_ptr<int32_t>() + row * codes_;
  float* const values = values_.mutable_data_ptr<float>() + row * codes_;
  float* const left = residual_.mutable_data_ptr<float>() + row * d_;
  double* const lower = cholesky_.mutable_data_ptr<double>() + row * codes_ * codes_;
  double* const target = target_.mutable_data_ptr<double>() + row * codes_;
  bool& ended = ended_.mutable_data_ptr<bool>()[row];
  ended = true;
  if (id < 0 || best_.const_data_ptr<float>()[row] == 0 || DotInDouble(left, left, d_) <= kNothingLeft * square) return;
  const float* const taken = all + id * d_;
  for (int64_t c = 0; c < round_; ++c) lower[round_ * codes_ + c] = DotInDouble(taken, all + ids[c] * d_, d_);
  lower[round_ * codes_ + round_] = DotInDouble(taken, taken, d_);
  if (!AddCholeskyRow(lower, codes_, round_)) return;
  ended = false;
  ids[round_] = id;
  target[round_] = DotInDouble(taken, x, d_);
  double solution[kMostFactorCodes];
  SolveCholesky(lower, codes_, round_ + 1, target, solution);
  std::copy(x, x + d_, left);
  for (int64_t c = 0; c <= round_; ++c) {
    values[c] = static_cast<float>(solution[c]);
    AddScaledRow(left, all + ids[c] * d_, -values[c], d_);
  }
}

}  // namespace superpose
