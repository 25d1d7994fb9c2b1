#include "lib/kernels/int8_marks.h"

#include <cstring>

#if defined(__x86_64__) && defined(__GNUC__)
#define SUPERPOSE_X86_VECTORS
#include <immintrin.h>
#endif

#ifndef __clang__
// g++'s elimination of partial redundancies would keep the sums in memory, at half the speed.
#pragma GCC optimize("no-tree-pre")
#endif

namespace superpose {
namespace {

constexpr int32_t kOffset = 128;  // of the columns' values

bool IsMarked(const Int8Group& rows, const Int8Panel& columns, int64_t row, int64_t column, int32_t product) {
  const float estimate = rows.scales[row] * (columns.scales[column] * static_cast<float>(product));
  const float reach = rows.errors[row] * columns.lengths[column] + rows.norms[row] * columns.errors[column];
  return !(estimate + reach < columns.limits[column]);
}

void MarkPlain(const Int8Group& rows, const Int8Panel& columns, int64_t depth, uint32_t* marks) {
  for (int64_t row = 0; row < kInt8GroupRows; ++row) {
    marks[row] = 0;
    for (int64_t column = 0; column < kInt8PanelColumns; ++column) {
      int32_t product = 0;
      for (int64_t k = 0; k < depth; ++k) {
        const int64_t step = k / kInt8Depth, part = k % kInt8Depth;
        product += rows.values[(step * kInt8GroupRows + row) * kInt8Depth + part] *
                   (columns.values[(step * kInt8PanelColumns + column) * kInt8Depth + part] - kOffset);
      }
      marks[row] |= static_cast<uint32_t>(IsMarked(rows, columns, row, column, product)) << column;
    }
  }
}

#ifdef SUPERPOSE_X86_VECTORS
#define SUPERPOSE_VNNI __attribute__((target("avx512f,avx512vnni")))

constexpr int64_t kLanes = 16;

// Sums of one row: columns 0 to 15 and 16 to 31.
struct RowSums {
  __m512i half[2];
};

// The instruction takes one operand without sign, which is why columns carry an offset; what that adds to a product is
// known from the row's sum.
SUPERPOSE_VNNI inline __attribute__((always_inline)) RowSums StartOf(int32_t sum_of_row) {
  const __m512i start = _mm512_set1_epi32(-kOffset * sum_of_row);
  return {{start, start}};
}

SUPERPOSE_VNNI inline __attribute__((always_inline)) void AddProducts(const int8_t* four, __m512i columns0,
                                                                      __m512i columns1, RowSums& sums) {
  int32_t bytes = 0;
  std::memcpy(&bytes, four, sizeof(bytes));
  const __m512i row = _mm512_set1_epi32(bytes);
  sums.half[0] = _mm512_dpbusd_epi32(sums.half[0], columns0, row);
  sums.half[1] = _mm512_dpbusd_epi32(sums.half[1], columns1, row);
}

SUPERPOSE_VNNI inline __attribute__((always_inline)) uint32_t MarkHalf(__m512i products, const Int8Group& rows,
                                                                       int64_t row, const Int8Panel& columns,
                                                                       int64_t first) {
  // Not _mm512_cvtepi32_ps, of whose own code g++ 12 warns.
  const auto floats = reinterpret_cast<__m512>(__builtin_convertvector(reinterpret_cast<__v16si>(products), __v16sf));
  const __m512 scaled = _mm512_mul_ps(floats, _mm512_loadu_ps(columns.scales + first));
  const __m512 reach =
      _mm512_fmadd_ps(_mm512_set1_ps(rows.errors[row]), _mm512_loadu_ps(columns.lengths + first),
                      _mm512_mul_ps(_mm512_set1_ps(rows.norms[row]), _mm512_loadu_ps(columns.errors + first)));
  const __m512 most = _mm512_fmadd_ps(_mm512_set1_ps(rows.scales[row]), scaled, reach);
  return _mm512_cmp_ps_mask(most, _mm512_loadu_ps(columns.limits + first), _CMP_NLT_UQ);
}

// All of a group's sums stay in registers from beginning to end.
SUPERPOSE_VNNI void MarkVnni(const Int8Group& rows, const Int8Panel& columns, int64_t depth, uint32_t* marks) {
  RowSums sums[kInt8GroupRows];
#pragma GCC unroll 12
  for (int64_t row = 0; row < kInt8GroupRows; ++row) sums[row] = StartOf(rows.sums[row]);
  const int8_t* left = rows.values;
  const uint8_t* right = columns.values;
  for (int64_t step = 0; step < depth / kInt8Depth; ++step) {
    const __m512i right0 = _mm512_loadu_si512(right), right1 = _mm512_loadu_si512(right + kLanes * kInt8Depth);
#pragma GCC unroll 12
    for (int64_t row = 0; row < kInt8GroupRows; ++row) AddProducts(left + row * kInt8Depth, right0, right1, sums[row]);
    left += kInt8GroupRows * kInt8Depth;
    right += kInt8PanelColumns * kInt8Depth;
  }
#pragma GCC unroll 12
  for (int64_t row = 0; row < kInt8GroupRows; ++row) {
    marks[row] = MarkHalf(sums[row].half[0], rows, row, columns, 0) |
                 MarkHalf(sums[row].half[1], rows, row, columns, kLanes) << kLanes;
  }
}
#endif

}  // namespace

bool HasInt8Products() {
#ifdef SUPERPOSE_X86_VECTORS
  static const bool has = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vnni");
  return has;
#else
  return false;
#endif
}

void MarkInt8(const Int8Group& rows, const Int8Panel& columns, int64_t depth, uint32_t* marks) {
#ifdef SUPERPOSE_X86_VECTORS
  if (HasInt8Products()) return MarkVnni(rows, columns, depth, marks);
#endif
  MarkPlain(rows, columns, depth, marks);
}

}  // namespace superpose
