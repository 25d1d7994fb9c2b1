#include "lib/transcoder/compress.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <numeric>

#include "lib/kernels/mark_above.h"

namespace superpose {
namespace {

constexpr int64_t kWord = 64;

struct DenseRows {
  const float* products;
  const float* bias;
  const float* thresholds;
  int64_t width;

  int64_t words() const { return (width + kWord - 1) / kWord; }
};

void CopyMarked(const DenseRows& dense, int64_t row, const uint64_t* marks, int32_t* ids, float* values) {
  const float* products = dense.products + row * dense.width;
  for (int64_t word = 0; word < dense.words(); ++word) {
    for (uint64_t left = marks[word]; left != 0; left &= left - 1) {
      const int64_t i = word * kWord + __builtin_ctzll(left);
      *ids++ = static_cast<int32_t>(i);
      *values++ = products[i] + dense.bias[i];
    }
  }
}

// The rows are read once, into a bit an entry; what is active is then copied to where it belongs.
SparseActivations CompressOnCpu(const DenseRows& dense, int64_t rows) {
  const int64_t words = dense.words();
  const at::Tensor bits = at::empty({rows, words}, at::kLong);
  auto* const marks = reinterpret_cast<uint64_t*>(bits.mutable_data_ptr<int64_t>());
  SparseActivations z{at::zeros({rows + 1}, at::kLong), {}, {}, dense.width};
  auto* splits = z.row_splits.mutable_data_ptr<int64_t>();
  at::parallel_for(0, rows, 1, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      splits[row + 1] =
          MarkAbove(dense.products + row * dense.width, dense.bias, dense.thresholds, dense.width, marks + row * words);
    }
  });
  std::partial_sum(splits, splits + rows + 1, splits);
  z.feature_ids = at::empty({splits[rows]}, at::kInt);
  z.values = at::empty({splits[rows]}, at::kFloat);
  auto* ids = z.feature_ids.mutable_data_ptr<int32_t>();
  auto* values = z.values.mutable_data_ptr<float>();
  at::parallel_for(0, rows, 1, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row)
      CopyMarked(dense, row, marks + row * words, ids + splits[row], values + splits[row]);
  });
  return z;
}

SparseActivations CompressOnDevice(const at::Tensor& dense, const at::Tensor& active) {
  at::Tensor positions = active.nonzero();
  at::Tensor counts = active.sum(1, /*keepdim=*/false, at::kLong);
  at::Tensor row_splits = at::zeros({dense.size(0) + 1}, counts.options());
  row_splits.slice(0, 1).copy_(counts.cumsum(0));
  const at::Tensor rows = positions.select(1, 0), columns = positions.select(1, 1);
  // By index, not by mask, which would be counted once more and make the host wait again.
  return {row_splits, columns.to(at::kInt).contiguous(), dense.index({rows, columns}), dense.size(1)};
}

}  // namespace

SparseActivations CompressAbove(const at::Tensor& products, const at::Tensor& thresholds, const at::Tensor& bias) {
  if (!products.is_cpu()) {
    const at::Tensor pre = bias.defined() ? products + bias : products;
    return CompressOnDevice(pre, pre.gt(thresholds));
  }
  const at::Tensor dense = products.contiguous(), limits = thresholds.contiguous();
  const at::Tensor added = bias.defined() ? bias.contiguous() : at::zeros({dense.size(1)}, at::kFloat);
  const DenseRows rows{dense.const_data_ptr<float>(), added.const_data_ptr<float>(), limits.const_data_ptr<float>(),
                       dense.size(1)};
  return CompressOnCpu(rows, dense.size(0));
}

}  // namespace superpose
