// The innermost loops of matrix products, for one width of vectors. Everything is inlined into functions that are
// compiled for a processor (vector_level.h). For lib/kernels alone.
#pragma once

#include <cstdint>
#include <cstring>

#include "lib/kernels/vector_level.h"

#define SUPERPOSE_INLINE inline __attribute__((always_inline))

namespace superpose {

// Terms of a sum that are added one to the other before the sum goes to memory, and how far apart the rows of the left
// factor lie in its buffer: not a power of two, so that they do not fall on each other in the cache.
inline constexpr int64_t kProductDepth = 256;
inline constexpr int64_t kProductStride = kProductDepth + 16;

template <int lanes>
struct VectorMath {
  using Floats [[gnu::vector_size(lanes * 4)]] = float;
  using Integers [[gnu::vector_size(lanes * 4)]] = int32_t;

  static SUPERPOSE_INLINE Floats Load(const float* from) {
    Floats to;
    std::memcpy(&to, from, sizeof(to));
    return to;
  }
  static SUPERPOSE_INLINE void Store(float* to, const Floats& from) { std::memcpy(to, &from, sizeof(from)); }

  // e^x to 1.5 ulp. Below -87 it is what e^-87 is, above 88 what e^88 is; NaN stays NaN.
  static SUPERPOSE_INLINE Floats Exp(Floats x) {
    constexpr float kLog2E = 1.442695041f, kLn2High = 0.693359375f, kLn2Low = -2.12194440e-4f;
    constexpr float kRounding = 12582912.0f;  // 1.5 * 2^23: adding it rounds to an integer, in the low bits
    x = x < -87.0f ? Floats{} - 87.0f : x;
    x = x > 88.0f ? Floats{} + 88.0f : x;
    const Floats shifted = x * kLog2E + kRounding;
    const Floats n = shifted - kRounding;
    const Floats r = (x - n * kLn2High) - n * kLn2Low;
    Floats p = Floats{} + 1.9875691500e-4f;
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * (r * r) + r + 1.0f;
    Integers exponent, bits;
    std::memcpy(&exponent, &shifted, sizeof(exponent));
    std::memcpy(&bits, &p, sizeof(bits));
    bits += exponent << 23;
    std::memcpy(&p, &bits, sizeof(p));
    return p;
  }

  // 0.5 x (1 + tanh(u)) = x / (1 + e^-2u), u = sqrt(2 / pi) (x + 0.044715 x^3).
  static SUPERPOSE_INLINE Floats GeluTanh(Floats x) {
    const Floats u = 0.7978845608f * (x + 0.044715f * x * x * x);
    return x / (1.0f + Exp(-2.0f * u));
  }
};

// Products of `rows` rows of a left factor with `vectors` * lanes columns.
template <int lanes, int rows, int vectors>
struct ProductKernel {
  using Math = VectorMath<lanes>;
  using Floats = decltype(Math::Load(nullptr));
  static constexpr int64_t kLanes = lanes;
  static constexpr int64_t kRows = rows, kColumns = int64_t{lanes} * vectors;

  // Terms of columns of the right factor: `depth` rows of kColumns, `stride` apart.
  struct Columns {
    const float* data = nullptr;
    int64_t stride = 0, depth = 0;
  };

  // tile[r, c] = sum over k < b.depth of a[r * kProductStride + k] * b[k, c], in the order of k, for the first `used`
  // rows. tile: [kRows, kColumns]. `next`, as deep as b, is fetched from memory meanwhile.
  template <int used, bool fetch>
  static SUPERPOSE_INLINE void Multiply(const float* a, const Columns& columns, const Columns& next, float* tile) {
    constexpr int64_t kFloatsOfALine = 16;
    const float *b = columns.data, *fetched = next.data;
    Floats sums[used][vectors] = {};
    for (int64_t k = 0; k < columns.depth; ++k, b += columns.stride) {
      if constexpr (fetch) {
#pragma GCC unroll 4
        for (int64_t c = 0; c < kColumns; c += kFloatsOfALine) __builtin_prefetch(fetched + c, 0, 2);
        fetched += next.stride;
      }
      Floats right[vectors];
#pragma GCC unroll 8
      for (int v = 0; v < vectors; ++v) right[v] = Math::Load(b + v * kLanes);
#pragma GCC unroll 16
      for (int r = 0; r < used; ++r) {
        const float left = a[r * kProductStride + k];
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
  static SUPERPOSE_INLINE void MultiplyFetching(int64_t used, const float* a, const Columns& columns,
                                                const Columns& next, float* tile) {
    if (used == 1) return Multiply<1, fetch>(a, columns, next, tile);
    if (used <= rows / 2) return Multiply<rows / 2, fetch>(a, columns, next, tile);
    Multiply<rows, fetch>(a, columns, next, tile);
  }
  // next.data may be null.
  static SUPERPOSE_INLINE void MultiplyRows(int64_t used, const float* a, const Columns& columns, const Columns& next,
                                            float* tile) {
    if (next.data != nullptr) return MultiplyFetching<true>(used, a, columns, next, tile);
    MultiplyFetching<false>(used, a, columns, next, tile);
  }
};

// 9 * 3 sums and what they need fit into 32 registers, 6 * 2 or 4 * 2 into 16.
using Avx512Product = ProductKernel<16, 9, 3>;
using Avx2Product = ProductKernel<8, 6, 2>;
using PlainProduct = ProductKernel<4, 4, 2>;

}  // namespace superpose
