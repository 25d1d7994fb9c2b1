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

SUPERPOSE_VECTORISED int64_t CountAbove(const float* values, const float* thresholds, int64_t count) {
  int64_t above = 0;
  for (int64_t begin = 0; begin < count; begin += kBlock) {
    int64_t end = begin + kBlock < count ? begin + kBlock : count;
    int32_t in_block = 0;
    for (int64_t i = begin; i < end; ++i) in_block += values[i] > thresholds[i];
    above += in_block;
  }
  return above;
}

SUPERPOSE_VECTORISED bool AnyPositive(const float* values, int64_t count) {
  int32_t any = 0;
  for (int64_t i = 0; i < count; ++i) any |= values[i] > 0.0f;
  return any != 0;
}

SUPERPOSE_VECTORISED bool AnyAbove(const float* values, const float* thresholds, int64_t count) {
  int32_t any = 0;
  for (int64_t i = 0; i < count; ++i) any |= values[i] > thresholds[i];
  return any != 0;
}

// What makes an entry active, for the loops below: a rule of its own for relu, which so reads no thresholds.
struct IsPositive {
  static int64_t Count(const float* values, int64_t count) { return CountPositive(values, count); }
  static bool Any(const float* values, int64_t /*first*/, int64_t count) { return AnyPositive(values, count); }
  static bool Is(float value, int64_t /*column*/) { return value > 0.0f; }
};
struct IsAbove {
  const float* thresholds;
  int64_t Count(const float* values, int64_t count) const { return CountAbove(values, thresholds, count); }
  bool Any(const float* values, int64_t first, int64_t count) const {
    return AnyAbove(values, thresholds + first, count);
  }
  bool Is(float value, int64_t column) const { return value > thresholds[column]; }
};

// Most blocks hold no active entry, and finding that out is cheap.
template <typename Rule>
void CopyActive(const Rule& rule, const float* values, int64_t count, int32_t* ids, float* kept) {
  int64_t next = 0;
  for (int64_t begin = 0; begin < count; begin += kBlock) {
    int64_t end = begin + kBlock < count ? begin + kBlock : count;
    if (!rule.Any(values + begin, begin, end - begin)) continue;
    for (int64_t i = begin; i < end; ++i) {
      if (!rule.Is(values[i], i)) continue;
      ids[next] = static_cast<int32_t>(i);
      kept[next++] = values[i];
    }
  }
}

template <typename Rule>
SparseActivations CompressOnCpu(const Rule& rule, const at::Tensor& dense) {
  int64_t rows = dense.size(0), width = dense.size(1);
  const float* data = dense.const_data_ptr<float>();
  at::Tensor row_splits = at::zeros({rows + 1}, at::kLong);
  int64_t* splits = row_splits.data_ptr<int64_t>();
  at::parallel_for(0, rows, 1, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) splits[row + 1] = rule.Count(data + row * width, width);
  });
  for (int64_t row = 0; row < rows; ++row) splits[row + 1] += splits[row];
  at::Tensor feature_ids = at::empty({splits[rows]}, at::kInt);
  at::Tensor values = at::empty({splits[rows]}, at::kFloat);
  int32_t* ids = feature_ids.data_ptr<int32_t>();
  float* kept = values.data_ptr<float>();
  at::parallel_for(0, rows, 1, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row)
      CopyActive(rule, data + row * width, width, ids + splits[row], kept + splits[row]);
  });
  return {row_splits, feature_ids, values, width};
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

SparseActivations CompressPositive(const at::Tensor& pre_activations) {
  if (!pre_activations.is_cpu()) return CompressOnDevice(pre_activations, pre_activations.gt(0));
  return CompressOnCpu(IsPositive(), pre_activations.contiguous());
}

SparseActivations CompressAbove(const at::Tensor& pre_activations, const at::Tensor& thresholds) {
  if (!pre_activations.is_cpu()) return CompressOnDevice(pre_activations, pre_activations.gt(thresholds));
  const at::Tensor limits = thresholds.contiguous();
  return CompressOnCpu(IsAbove{limits.const_data_ptr<float>()}, pre_activations.contiguous());
}

}  // namespace superpose
