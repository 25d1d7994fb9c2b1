#include "lib/kernels/row_sums.h"

#include <algorithm>

#include "lib/kernels/vector_math.h"

namespace superpose {
namespace {

// Rows are everywhere in memory; so many terms before its turn a row is asked for. Measured.
constexpr int64_t kTermsAhead = 6;
constexpr int64_t kFloatsOfALine = 16;

// Sums of the columns from `c` on, `vectors` * lanes of them, in registers.
template <int64_t lanes, int64_t vectors>
SUPERPOSE_INLINE void SumColumns(const WeightedRows& rows, int64_t c, const float* start, float* out) {
  using Math = Vectors<float, lanes>;
  using Values = Math::Values;
  Values sums[vectors] = {};
  if (start != nullptr) {
#pragma GCC unroll 16
    for (int64_t v = 0; v < vectors; ++v) sums[v] = Math::Load(start + c + v * lanes);
  }
  const float* const base = rows.first_row + c;
  const int64_t fetched = rows.count + rows.ahead - kTermsAhead;
  for (int64_t i = 0; i < rows.count; ++i) {
    if (i < fetched) {
      const float* const next = base + rows.ids[i + kTermsAhead] * rows.stride;
#pragma GCC unroll 16
      for (int64_t k = 0; k < vectors * lanes; k += kFloatsOfALine) __builtin_prefetch(next + k);
    }
    const float* const row = base + rows.ids[i] * rows.stride;
    const float weight = rows.weights[i];
#pragma GCC unroll 16
    for (int64_t v = 0; v < vectors; ++v) sums[v] += weight * Math::Load(row + v * lanes);
  }
#pragma GCC unroll 16
  for (int64_t v = 0; v < vectors; ++v) Math::Store(out + c + v * lanes, sums[v]);
}

// The last columns, less than a vector: by way of padded copies.
template <int64_t lanes>
SUPERPOSE_INLINE void SumLastColumns(const WeightedRows& rows, int64_t c, int64_t columns, const float* start,
                                     float* out) {
  float sums[lanes] = {};
  if (start != nullptr) std::copy_n(start + c, columns, sums);
  for (int64_t i = 0; i < rows.count; ++i) {
    const float* const row = rows.first_row + rows.ids[i] * rows.stride + c;
    for (int64_t k = 0; k < columns; ++k) sums[k] += rows.weights[i] * row[k];
  }
  std::copy_n(sums, columns, out + c);
}

template <int64_t lanes, int64_t vectors>
SUPERPOSE_INLINE void Sum(const WeightedRows& rows, int64_t n, const float* start, float* out) {
  int64_t c = 0;
  for (; c + vectors * lanes <= n; c += vectors * lanes) SumColumns<lanes, vectors>(rows, c, start, out);
  for (; c + 4 * lanes <= n; c += 4 * lanes) SumColumns<lanes, 4>(rows, c, start, out);
  for (; c + lanes <= n; c += lanes) SumColumns<lanes, 1>(rows, c, start, out);
  if (c < n) SumLastColumns<lanes>(rows, c, n - c, start, out);
}

#if SUPERPOSE_HAS_VECTOR_LEVELS
SUPERPOSE_AVX512 void SumAvx512(const WeightedRows& rows, int64_t n, const float* start, float* out) {
  Sum<16, kPanel / 16>(rows, n, start, out);
}
SUPERPOSE_AVX2 void SumAvx2(const WeightedRows& rows, int64_t n, const float* start, float* out) {
  Sum<8, 8>(rows, n, start, out);
}
#endif

}  // namespace

void SumRows(const WeightedRows& rows, int64_t n, const float* start, float* out, VectorLevel level) {
#if SUPERPOSE_HAS_VECTOR_LEVELS
  if (level == VectorLevel::kAvx512) return SumAvx512(rows, n, start, out);
  if (level == VectorLevel::kAvx2) return SumAvx2(rows, n, start, out);
#endif
  Sum<4, 8>(rows, n, start, out);
}

}  // namespace superpose
