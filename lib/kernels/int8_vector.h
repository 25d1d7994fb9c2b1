// Vectors of int8 that stand for vectors of float32, with bounds on what that loses which hold in spite of rounding
// (lib/transcoder/README.md has the proof).
#pragma once

#include <cstdint>

namespace superpose {

// h is about scale * q, q in [-127, 127]. The norms are Euclidean and rounded up.
struct Int8Vector {
  float scale = 0;
  float length = 0;  // |h|; infinity where h holds infinity or NaN
  float norm = 0;    // |scale * q|
  float error = 0;   // |h - scale * q|; infinity where h holds infinity or NaN
  int32_t sum = 0;   // of q
};

// n: a multiple of 16, at most 2^15. Writes q[0..n).
Int8Vector QuantizeInt8(const float* h, int64_t n, int8_t* q);

// Multiplies each block of `block` values (a power of two, 16 or more, that divides n) by the Walsh-Hadamard matrix H
// of that size, in place: H H^T = block * I. What one large value held is spread over its block, and so is its error.
void RotateBlocks(float* values, int64_t n, int64_t block);

}  // namespace superpose
