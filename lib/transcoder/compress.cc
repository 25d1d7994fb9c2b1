#include "lib/transcoder/compress.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(SUPERPOSE_SANITIZED)
#define SUPERPOSE_VECTORISED __attribute__((target_clones("avx512f", "avx2", "default"), optimize("O3")))
#else
#define SUPERPOSE_VECTORISED
#endif

namespace superpose {
namespace {

constexpr int64_t kBlock = 64;

SUPERPOSE_VECTORISED int64_t CountPositive(const float* values, int64_t count) {
  int64_t positive = 0;
  for (int64_t begin = 0; begin < count; begin += kBlock) {
    int64_t end = begin + kBlock < count ? begin + kBlock : count;
    int32_t in_block = 0;
    for (int64_t i = begin; i < end; ++i) in_block += values[i] > 0.0f;
    positive += in_block;
  }
  return positive;
}

SUPERPOSE_VECTORISED bool AnyPositive(const float* values, int64_t count) {
  int32_t any = 0;
  for (int64_t i = 0; i < count; ++i) any |= values[i] > 0.0f;
  return any != 0;
}

// Most blocks hold no positive entry, and finding that out is cheap.
void CopyPositive(const float* values, int64_t count, int32_t* ids, float* kept) {
  int64_t next = 0;
  for (int64_t begin = 0; begin < count; begin += kBlock) {
    int64_t end = begin + kBlock < count ? begin + kBlock : count;
    if (!AnyPositive(values + begin, end - begin)) continue;
    for (int64_t i = begin; i < end; ++i) {
      if (!(values[i] > 0.0f)) continue;
      ids[next] = static_cast<int32_t>(i);
      kept[next++] = values[i];
    }
  }
}

SparseActivations CompressOnCpu(const at::Tensor& dense) {
  int64_t rows = dense.size(0), width = dense.size(1);
  const float* data = dense.const_data_ptr<float>();
  at::Tensor row_splits = at::zeros({rows + 1}, at::kLong);
  int64_t* splits = row_splits.data_ptr<int64_t>();
  at::parallel_for(0, rows, 1, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) splits[row + 1] = CountPositive(data + row * width, width);
  });
  for (int64_t row = 0; row < rows; ++row) splits[row + 1] += splits[row];
  at::Tensor feature_ids = at::empty({splits[rows]}, at::kInt);
  at::Tensor values = at::empty({splits[rows]}, at::kFloat);
  int32_t* ids = feature_ids.data_ptr<int32_t>();
  float* kept = values.data_ptr<float>();
  at::parallel_for(0, rows, 1, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row)
      CopyPositive(data + row * width, width, ids + splits[row], kept + splits[row]);
  });
  return {row_splits, feature_ids, values, width};
}

SparseActivations CompressOnDevice(const at::Tensor& dense) {
  at::Tensor active = dense.gt(0);
  at::Tensor positions = active.nonzero();
  at::Tensor counts = active.sum(1, /*keepdim=*/false, at::kLong);
  at::Tensor row_splits = at::zeros({dense.size(0) + 1}, counts.options());
  row_splits.slice(0, 1).copy_(counts.cumsum(0));
  return {row_splits, positions.select(1, 1).to(at::kInt).contiguous(), dense.masked_select(active), dense.size(1)};
}

}  // namespace

SparseActivations CompressPositive(const at::Tensor& pre_activations) {
  return pre_activations.is_cpu() ? CompressOnCpu(pre_activations.contiguous()) : CompressOnDevice(pre_activations);
}

}  // namespace superpose
