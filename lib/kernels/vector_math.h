// Arithmetic on vectors of one processor's width. Everything is inlined into functions that are compiled for a
// processor (vector_level.h). For lib/kernels alone.
#pragma once

#include <cstdint>
#include <cstring>
#include <utility>

#include "lib/kernels/vector_level.h"

#define SUPERPOSE_INLINE inline __attribute__((always_inline))

namespace superpose {

template <typename T, int lanes>
struct Vectors {
  static constexpr int kLanes = lanes;
  using Values [[gnu::vector_size(lanes * sizeof(T))]] = T;

  static SUPERPOSE_INLINE Values Load(const T* from) {
    Values to;
    std::memcpy(&to, from, sizeof(to));
    return to;
  }
  static SUPERPOSE_INLINE void Store(T* to, const Values& from) { std::memcpy(to, &from, sizeof(from)); }

  // to[j, i] = from[i, j] for i, j < lanes; rows lie *_stride apart.
  static SUPERPOSE_INLINE void Transpose(const T* from, int64_t stride, T* to, int64_t to_stride) {
    Values rows[lanes];
#pragma GCC unroll 16
    for (int i = 0; i < lanes; ++i) rows[i] = Load(from + i * stride);
    ExchangeFrom<1>(rows);
#pragma GCC unroll 16
    for (int i = 0; i < lanes; ++i) Store(to + i * to_stride, rows[i]);
  }

 private:
  using Lanes = std::make_integer_sequence<int, lanes>;

  // Of each pair of rows i, i + half the blocks of `half` columns beside the diagonal change places, then of larger
  // ones.
  template <int half>
  static SUPERPOSE_INLINE void ExchangeFrom(Values (&rows)[lanes]) {
    if constexpr (half < lanes) {
#pragma GCC unroll 16
      for (int i = 0; i < lanes; ++i) {
        if ((i & half) == 0) Exchange<half>(rows[i], rows[i + half], Lanes());
      }
      ExchangeFrom<2 * half>(rows);
    }
  }
  template <int half, int... lane>
  static SUPERPOSE_INLINE void Exchange(Values& a, Values& b, std::integer_sequence<int, lane...> /*all*/) {
    const Values first = __builtin_shufflevector(a, b, ((lane & half) == 0 ? lane : lanes + lane - half)...);
    b = __builtin_shufflevector(a, b, ((lane & half) == 0 ? lane + half : lanes + lane)...);
    a = first;
  }
};

template <int lanes>
struct VectorMath : Vectors<float, lanes> {
  using Floats = Vectors<float, lanes>::Values;
  using Integers [[gnu::vector_size(lanes * 4)]] = int32_t;

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

}  // namespace superpose
