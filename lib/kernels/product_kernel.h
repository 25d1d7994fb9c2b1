// The innermost loops of matrix products, for one width of vectors. Everything is inlined into functions that are
// compiled for a processor (vector_level.h). For lib/kernels alone.
#pragma once

#include <cstdint>

#include "lib/kernels/vector_math.h"

namespace superpose {

// Terms of a sum that are added one to the other before the sum goes to memory, and how far apart the rows of the left
// factor lie in its buffer: not a power of two, so that they do not fall on each other in the cache.
inline constexpr int64_t kProductDepth = 256;
inline constexpr int64_t kProductStride = kProductDepth + 16;

// Products of `rows` rows of a left factor with `vectors` * lanes columns.
template <typename T, int lanes, int rows, int vectors>
struct ProductKernel {
  using Value = T;
  using Math = Vectors<T, lanes>;
  using Values = Math::Values;
  static constexpr int64_t kLanes = lanes;
  static constexpr int64_t kRows = rows, kColumns = int64_t{lanes} * vectors;

  // Terms of columns of the right factor: `depth` rows of kColumns, `stride` apart.
  struct Columns {
    const T* data = nullptr;
    int64_t stride = 0, depth = 0;
  };

  // tile[r, c] = sum over k < b.depth of a[r * kProductStride + k] * b[k, c], in the order of k, for the first `used`
  // rows. tile: [kRows, kColumns]. `next`, as deep as b, is fetched from memory meanwhile.
  template <int used, bool fetch>
  static SUPERPOSE_INLINE void Multiply(const T* a, const Columns& columns, const Columns& next, T* tile) {
    constexpr int64_t kValuesOfALine = 64 / sizeof(T);
    const T *b = columns.data, *fetched = next.data;
    Values sums[used][vectors] = {};
    for (int64_t k = 0; k < columns.depth; ++k, b += columns.stride) {
      if constexpr (fetch) {
#pragma GCC unroll 4
        for (int64_t c = 0; c < kColumns; c += kValuesOfALine) __builtin_prefetch(fetched + c, 0, 2);
        fetched += next.stride;
      }
      Values right[vectors];
#pragma GCC unroll 8
      for (int v = 0; v < vectors; ++v) right[v] = Math::Load(b + v * kLanes);
#pragma GCC unroll 16
      for (int r = 0; r < used; ++r) {
        const T left = a[r * kProductStride + k];
#pragma GCC unroll 8
        for (int v = 0; v < vectors; ++v) sums[r][v] += left * right[v];
      }
    }
#pragma GCC unroll 16
    for (int r = 0; r < used; ++r) {
#pragma GCC unroll 8
      for (int v = 0; v < vectors; ++v) Math::Store(tile + r * kColumns + v * kLanes, sums[r][v]);
    }
  }
  template <bool fetch>
  static SUPERPOSE_INLINE void MultiplyFetching(int64_t used, const T* a, const Columns& columns, const Columns& next,
                                                T* tile) {
    if (used == 1) return Multiply<1, fetch>(a, columns, next, tile);
    if (used <= rows / 2) return Multiply<rows / 2, fetch>(a, columns, next, tile);
    Multiply<rows, fetch>(a, columns, next, tile);
  }
  // next.data may be null.
  static SUPERPOSE_INLINE void MultiplyRows(int64_t used, const T* a, const Columns& columns, const Columns& next,
                                            T* tile) {
    if (next.data != nullptr) return MultiplyFetching<true>(used, a, columns, next, tile);
    MultiplyFetching<false>(used, a, columns, next, tile);
  }
};

// 9 * 3 sums and what they need fit into 32 registers, 6 * 2 or 4 * 2 into 16.
template <typename T>
using Avx512Product = ProductKernel<T, 64 / sizeof(T), 9, 3>;
template <typename T>
using Avx2Product = ProductKernel<T, 32 / sizeof(T), 6, 2>;
template <typename T>
using PlainProduct = ProductKernel<T, 16 / sizeof(T), 4, 2>;

}  // namespace superpose
