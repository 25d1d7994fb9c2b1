#include "lib/kernels/head_attention.h"

#include <algorithm>
#include <vector>

#include "lib/kernels/product_kernel.h"

namespace superpose {
namespace {

static_assert(kMostHeadDimensions <= kProductDepth, "a score is one sum");

// What a thread has of one head in the order in which it is read.
struct HeadBuffers {
  std::vector<float> keys;     // by panels of kColumns keys: [d_head, kColumns]
  std::vector<float> values;   // by panels of kColumns dimensions: [keys, kColumns]
  std::vector<float> queries;  // [kRows, kProductStride]
  std::vector<float> scores;   // by blocks of kProductDepth keys: [kRows, kProductStride]
};

int64_t RoundUp(int64_t n, int64_t multiple) { return (n + multiple - 1) / multiple * multiple; }

template <typename Kernel>
struct HeadLoops {
  using Math = VectorMath<Kernel::kLanes>;
  using Floats = Math::Floats;
  static constexpr int64_t kRows = Kernel::kRows, kColumns = Kernel::kColumns;
  static constexpr int64_t kLanes = Kernel::kLanes;
  static_assert(kProductDepth % kColumns == 0, "a panel of keys lies in one block of scores");

  static SUPERPOSE_INLINE void CopyKeysAndValues(const HeadAttention& a, HeadBuffers& buffers) {
    const int64_t keys = a.end;
    buffers.keys.assign(RoundUp(keys, kColumns) * a.d_head, 0.0f);
    buffers.values.assign(RoundUp(a.d_head, kColumns) * keys, 0.0f);
    buffers.queries.resize(kRows * kProductStride);
    buffers.scores.resize(RoundUp(keys, kProductDepth) / kProductDepth * kRows * kProductStride);
    for (int64_t j = 0; j < keys; ++j) {
      const float* key = a.k + j * a.in_stride;
      float* to = buffers.keys.data() + j / kColumns * kColumns * a.d_head + j % kColumns;
      for (int64_t d = 0; d < a.d_head; ++d) to[d * kColumns] = key[d];
    }
    for (int64_t d = 0; d < a.d_head; d += kColumns) {
      const int64_t bytes = std::min(kColumns, a.d_head - d) * static_cast<int64_t>(sizeof(float));
      float* to = buffers.values.data() + d * keys;
      for (int64_t j = 0; j < keys; ++j) std::memcpy(to + j * kColumns, a.v + j * a.in_stride + d, bytes);
    }
  }

  static SUPERPOSE_INLINE void Score(const HeadAttention& a, int64_t first, int64_t rows, HeadBuffers& buffers) {
    for (int64_t r = 0; r < rows; ++r) {
      const float* query = a.q + (first + r) * a.in_stride;
      for (int64_t d = 0; d < a.d_head; ++d) buffers.queries[r * kProductStride + d] = query[d] * a.scale;
    }
    float tile[kRows * kColumns];
    for (int64_t j = 0; j < first + rows; j += kColumns) {
      Kernel::MultiplyRows(kRows, buffers.queries.data(), {buffers.keys.data() + j * a.d_head, kColumns, a.d_head},
                           /*next=*/{}, tile);
      float* to = buffers.scores.data() + j / kProductDepth * kRows * kProductStride + j % kProductDepth;
      for (int64_t r = 0; r < rows; ++r) {
        std::memcpy(to + r * kProductStride, tile + r * kColumns, kColumns * sizeof(float));
      }
    }
  }

  static SUPERPOSE_INLINE float Largest(const float* scores, int64_t count) {
    float largest = scores[0];
    Floats some = Floats{} + largest;
    int64_t i = 0;
    for (; i + kLanes <= count; i += kLanes) {
      const Floats next = Math::Load(scores + i);
      some = next > some ? next : some;
    }
    for (; i < count; ++i) largest = std::max(largest, scores[i]);
    for (int64_t lane = 0; lane < kLanes; ++lane) largest = std::max(largest, some[lane]);
    return largest;
  }

  // Exponentials of the first `visible` scores of a row against their maximum, then zeros up to `keys`; their sum.
  static SUPERPOSE_INLINE float Exponentials(float* row, int64_t visible, int64_t keys) {
    constexpr int64_t kBlockStep = kRows * kProductStride;
    const auto block = [&](int64_t j) { return row + j / kProductDepth * kBlockStep; };
    float largest = row[0];
    for (int64_t j = 0; j < visible; j += kProductDepth) {
      largest = std::max(largest, Largest(block(j), std::min(kProductDepth, visible - j)));
    }
    Floats sums = {};
    for (int64_t j = 0; j < keys; j += kProductDepth) {
      float* scores = block(j);
      const int64_t count = std::clamp<int64_t>(visible - j, 0, kProductDepth);
      const int64_t padded = RoundUp(std::min(kProductDepth, keys - j), kLanes);
      for (int64_t i = 0; i < count; i += kLanes) Math::Store(scores + i, Math::Exp(Math::Load(scores + i) - largest));
      std::fill(scores + count, scores + padded, 0.0f);
      for (int64_t i = 0; i < count; i += kLanes) sums += Math::Load(scores + i);
    }
    float sum = 0;
    for (int64_t lane = 0; lane < kLanes; ++lane) sum += sums[lane];
    return sum;
  }

  static SUPERPOSE_INLINE void Mix(const HeadAttention& a, int64_t first, int64_t rows, const float* sums,
                                   const HeadBuffers& buffers) {
    const int64_t keys = first + rows;
    for (int64_t d = 0; d < a.d_head; d += kColumns) {
      float mixed[kRows * kColumns] = {}, tile[kRows * kColumns];
      for (int64_t j = 0; j < keys; j += kProductDepth) {
        Kernel::MultiplyRows(
            kRows, buffers.scores.data() + j * kRows / kProductDepth * kProductStride,
            {buffers.values.data() + d * a.end + j * kColumns, kColumns, std::min(kProductDepth, keys - j)},
            /*next=*/{}, tile);
        for (int64_t i = 0; i < kRows * kColumns; ++i) mixed[i] += tile[i];
      }
      const int64_t columns = std::min(kColumns, a.d_head - d);
      for (int64_t r = 0; r < rows; ++r) {
        float* out = a.out + (first + r) * a.out_stride + d;
        const float factor = 1.0f / sums[r];
        for (int64_t c = 0; c < columns; ++c) out[c] = mixed[r * kColumns + c] * factor;
      }
    }
  }

  static SUPERPOSE_INLINE void Attend(const HeadAttention& a) {
    thread_local HeadBuffers buffers;
    CopyKeysAndValues(a, buffers);
    for (int64_t first = a.begin; first < a.end; first += kRows) {
      const int64_t rows = std::min(kRows, a.end - first);
      Score(a, first, rows, buffers);
      float sums[kRows];
      for (int64_t r = 0; r < rows; ++r) {
        sums[r] = Exponentials(buffers.scores.data() + r * kProductStride, first + r + 1, first + rows);
      }
      Mix(a, first, rows, sums, buffers);
    }
  }
};

#if SUPERPOSE_HAS_VECTOR_LEVELS
SUPERPOSE_AVX512 void AttendAvx512(const HeadAttention& a) { HeadLoops<ProductKernel<float, 16, 12, 2>>::Attend(a); }
SUPERPOSE_AVX2 void AttendAvx2(const HeadAttention& a) { HeadLoops<ProductKernel<float, 8, 6, 2>>::Attend(a); }
#endif

}  // namespace

void AttendCausally(const HeadAttention& attention, VectorLevel level) {
#if SUPERPOSE_HAS_VECTOR_LEVELS
  if (level == VectorLevel::kAvx512) return AttendAvx512(attention);
  if (level == VectorLevel::kAvx2) return AttendAvx2(attention);
#endif
  HeadLoops<ProductKernel<float, 4, 4, 2>>::Attend(attention);
}

}  // namespace superpose
